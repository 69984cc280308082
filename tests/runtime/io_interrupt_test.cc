// What a stop or a deadline does to an operation of io.h. For all of them see operation_matrix_test.cc.
#include <unistd.h>

#include <array>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::SocketPair;

Task<StatusOr<std::size_t>> recv_from(int fd, IoOptions options = {}) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> received = co_await recv(fd, buffer, options);
  co_return received;
}

TEST(IoInterruptTest, AStopEndsAnOperationBeforeAndAfterTheKernelHasIt) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    SocketPair pair;
    const StatusOr<std::size_t> result = harness.run(test::stopped(recv_from(pair.left.get()), in_kernel));
    EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
    EXPECT_EQ(result.status().message(), "recv: the task was stopped");

    // It has taken nothing.
    EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
    EXPECT_EQ(*harness.run(recv_from(pair.left.get())), 4U);
  }
}

TEST(IoInterruptTest, AStoppedTaskDoesNotStartAnOperation) {
  Harness harness;
  SocketPair pair;
  harness.reactor().request_stop();

  const Status status = harness.run(recv_from(pair.left.get())).status();

  EXPECT_EQ(status.code(), StatusCode::kCancelled);
}

Task<void> recv_and_stop(int fd, Scope& scope) {
  StatusOr<std::size_t> received = co_await recv_from(fd);
  EXPECT_TRUE(received.ok());
  scope.cancel();
}

Task<void> stop_too_late(SocketPair& first, SocketPair& second, std::optional<StatusOr<std::size_t>>& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(recv_and_stop(first.left.get(), scope));
    scope.spawn(test::keep_result(recv_from(second.left.get()), result));
    co_return;
  });
}

TEST(IoInterruptTest, AnOperationThatHadSucceededBeforeTheStopHasSucceeded) {
  Harness harness;
  SocketPair first;
  SocketPair second;
  EXPECT_EQ(::write(first.right.get(), "x", 1), 1);
  EXPECT_EQ(::write(second.right.get(), "quay", 4), 4);
  std::optional<StatusOr<std::size_t>> result;
  harness.run(stop_too_late(first, second, result));

  EXPECT_EQ(**result, 4U);
}

TEST(IoInterruptTest, ADeadlineEndsAnOperation) {
  Harness harness;
  SocketPair pair;
  const std::int64_t deadline = harness.reactor().now_ns() + 2'000'000;
  const Status status = harness.run(recv_from(pair.left.get(), {.deadline_ns = deadline})).status();

  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status.message(), "recv: the deadline has passed");
  EXPECT_GE(harness.reactor().now_ns(), deadline);
}

TEST(IoInterruptTest, ADeadlineInThePastStartsNothing) {
  Harness harness;
  SocketPair pair;
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  const Status status = harness.run(recv_from(pair.left.get(), {.deadline_ns = 1})).status();

  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
}

TEST(IoInterruptTest, ADeadlineThatIsKeptDoesNotMatter) {
  Harness harness;
  SocketPair pair;
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  const std::int64_t deadline = harness.reactor().now_ns() + 60'000'000'000;

  EXPECT_EQ(*harness.run(recv_from(pair.left.get(), {.deadline_ns = deadline})), 4U);
}

using Slot = std::optional<detail::BytesAwaiter>;

Task<void> start_recv(Slot& slot, int fd, std::span<std::byte> buffer) {
  slot.emplace("recv", Opcode::kRecv, fd, buffer.data(), buffer.size(), 0, 0, IoOptions{});
  StatusOr<std::size_t> received = co_await test::ByReference(*slot);
  ADD_FAILURE() << received.status();
}

Task<void> destroy_in_flight(int fd) {
  Slot slot;
  std::array<std::byte, 16> buffer;
  Scope scope;
  scope.spawn(start_recv(slot, fd, buffer));
  co_await test::next_turn();
  slot.reset();
}

TEST(IoInterruptDeathTest, DestroyingAnAwaiterWithItsOperationInFlightAborts) {
  EXPECT_DEATH(
      {
        Harness harness;
        SocketPair pair;
        harness.run(destroy_in_flight(pair.left.get()));
      },
      "awaiter was destroyed while the kernel still works on its operation");
}

}  // namespace
}  // namespace wharf::runtime
