// What only io_uring does. What every backend does: backend_test.cc, backend_operations_test.cc.
#include "wharf/runtime/detail/uring_backend.h"

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;

using UringBackendTest = test::EachBackend;
INSTANTIATE_TEST_SUITE_P(Setups, UringBackendTest, ::testing::Range(std::size_t{0}, UringBackend::kSetupCount));

TEST_P(UringBackendTest, OneEnterSubmitsAndReapsEverything) {
  make();
  std::deque<Recorder> operations(10);
  const std::uint64_t before = backend_->counters().enters;
  for (Recorder& operation : operations) backend_->submit(operation);

  EXPECT_EQ(backend_->poll(), 10U);

  EXPECT_EQ(backend_->counters().enters, before + 1);
  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
}

TEST_P(UringBackendTest, MoreThanTheRingHoldsIsSubmittedInSeveralEnters) {
  make(8, 64);
  std::deque<Recorder> operations(40);
  const std::uint64_t before = backend_->counters().enters;
  for (Recorder& operation : operations) backend_->submit(operation);
  backend_->poll();
  while (backend_->poll() != 0) {
  }

  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
  EXPECT_EQ(backend_->counters().enters, before + 5);
}

// The kernel ends a multishot operation that finds no room for its completion: here the accept, and the waker.
TEST_P(UringBackendTest, AWakeEndsASleepHoweverManyOperationsWaitForRoom) {
  make(1, 2);  // of the ring: room for eight completions
  test::Listening listening;
  std::deque<UniqueFd> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(listening.connect());
  test::SocketPair pair;
  Recorder accept(Opcode::kAccept, listening.socket.get());
  accept.multishot = true;
  std::deque<Recorder> receives;
  backend_->submit(accept);
  for (char& byte : std::span(buffer_).first(4)) {
    receives.emplace_back(Opcode::kRecv, pair.left.get(), &byte, 1U);
    backend_->submit(receives.back());
  }
  backend_->wake();
  for (int i = 0; i < 10; ++i) backend_->poll();

  backend_->wake();
  EXPECT_GT(backend_->wait(kNever), 0U);

  backend_->cancel(accept);
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  for (Recorder& receive : receives) wait_for(receive);
  wait_for(accept);
  for (const std::int32_t fd : accept.results) {
    if (fd >= 0) ::close(fd);
  }
}

TEST_P(UringBackendTest, RingEntriesOutOfRangeAreRefused) {
  EXPECT_EQ(create(0, 64).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(create(40'000, 64).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace wharf::runtime::detail
