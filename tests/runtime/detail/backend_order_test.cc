// In which order a backend gives the kernel what was queued.
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;
using test::Results;
using test::SocketPair;

using BackendOrderTest = test::EachBackend;
WHARF_EACH_BACKEND(BackendOrderTest);

TEST_P(BackendOrderTest, WhatIsSentIsThereForWhatReceivesInTheSameTurn) {
  make();
  SocketPair pair;
  char bytes[] = "quay";
  Recorder receive(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
  receive.flags = MSG_DONTWAIT;  // it fails if the send comes later
  Recorder send(Opcode::kSend, pair.right.get(), bytes, 4);
  backend_->submit(receive);
  backend_->submit(send);
  EXPECT_EQ(backend_->poll(), 2U);

  EXPECT_EQ(send.results, Results{4});
  EXPECT_EQ(receive.results, Results{4});
}

// Sends one byte after the other.
struct Flood final : Operation {
  Flood(Backend& owner, int socket) : backend(owner) {
    opcode = Opcode::kSend;
    fd = socket;
    memory = &byte;
    memory_bytes = 1;
  }
  void on_complete(std::int32_t result, bool /*more*/) noexcept override {
    if (result == 1 && --left_count != 0) backend.submit(*this);
  }
  Backend& backend;
  char byte = 'x';
  int left_count = 100;
};

TEST_P(BackendOrderTest, SendsDoNotKeepAReceiveOutOfAFullRoom) {
  make(4, 1);
  SocketPair flooded;
  SocketPair pair;
  ASSERT_EQ(::write(pair.right.get(), "quay", 4), 4);
  Flood first(*backend_, flooded.left.get());
  Flood second(*backend_, flooded.left.get());
  Recorder receive(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
  backend_->submit(first);
  backend_->submit(second);
  backend_->submit(receive);
  wait_for(receive);

  EXPECT_EQ(receive.results, Results{4});
  EXPECT_GT(first.left_count, 90) << "it waited until the sends had ended";
  EXPECT_GT(second.left_count, 90);
  while (first.in_flight() || second.in_flight()) backend_->wait(kNever);
}

}  // namespace
}  // namespace wharf::runtime::detail
