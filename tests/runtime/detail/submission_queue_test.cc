#include "wharf/runtime/detail/submission_queue.h"

#include <deque>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::runtime::detail {
namespace {

struct Request final : Operation {
  explicit Request(Opcode code) { opcode = code; }
  void on_complete(std::int32_t /*result*/, bool /*more*/) noexcept override {}
};

class SubmissionQueueTest : public ::testing::Test {
 protected:
  void push(Opcode opcode) { queue_.push(requests_.emplace_back(opcode)); }
  std::vector<Opcode> drain() {
    std::vector<Opcode> order;
    while (Operation* const first = queue_.first()) {
      order.push_back(first->opcode);
      List<Operation, OperationTag>::remove(*first);
    }
    return order;
  }

  std::deque<Request> requests_;
  SubmissionQueue queue_;
};

TEST_F(SubmissionQueueTest, WhatGoesOutGoesFirstAndOtherwiseInOrder) {
  for (const Opcode opcode : {Opcode::kRecv, Opcode::kSend, Opcode::kRead, Opcode::kWritev, Opcode::kAccept,
                              Opcode::kSendmsg, Opcode::kPoll, Opcode::kWrite, Opcode::kNop}) {
    push(opcode);
  }
  EXPECT_FALSE(queue_.empty());

  EXPECT_EQ(drain(), (std::vector<Opcode>{Opcode::kSend, Opcode::kWritev, Opcode::kSendmsg, Opcode::kWrite,
                                          Opcode::kRecv, Opcode::kRead, Opcode::kAccept, Opcode::kPoll, Opcode::kNop}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(SubmissionQueueTest, WithoutRoomAllGoInTheirOrder) {
  push(Opcode::kRecv);
  push(Opcode::kSend);
  queue_.crowd();
  push(Opcode::kWrite);
  push(Opcode::kRead);

  EXPECT_EQ(drain(), (std::vector<Opcode>{Opcode::kRecv, Opcode::kSend, Opcode::kWrite, Opcode::kRead}));
}

TEST_F(SubmissionQueueTest, OnceNothingIsLeftWhatGoesOutGoesFirstAgain) {
  push(Opcode::kRecv);
  queue_.crowd();
  drain();

  push(Opcode::kRead);
  push(Opcode::kSend);

  EXPECT_EQ(drain(), (std::vector<Opcode>{Opcode::kSend, Opcode::kRead}));
}

}  // namespace
}  // namespace wharf::runtime::detail
