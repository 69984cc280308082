// Ports without memory: every allocation of an open fails once; so does that for a large message.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/coro/when_all.h"
#include "wharf/ipc/port.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::ipc {
namespace {

coro::Task<void> open_both(bool shared_memory, std::uint64_t k) {
  PortOptions options;
  options.shared_memory = shared_memory;
  auto ends = Port::end_pair();
  EXPECT_TRUE(ends.ok()) << ends.status();
  coro::Task<StatusOr<std::unique_ptr<Port>>> first = Port::open(std::move(ends->first), options);
  coro::Task<StatusOr<std::unique_ptr<Port>>> second = Port::open(std::move(ends->second), options);
  test::fail_allocation(k);
  auto [left, right] = co_await coro::when_all(std::move(first), std::move(second));
  const bool failed = test::allocation_failed();
  EXPECT_TRUE(failed || (left.ok() && right.ok()));
}

class PortOpenMemoryTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, PortOpenMemoryTest, ::testing::Bool(),
                         [](const auto& shared) { return shared.param ? "SharedMemory" : "Socket"; });

TEST_P(PortOpenMemoryTest, AnOpenThatRunsOutOfMemoryThrowsAndLeavesNothing) {
  test::Harness harness;
  harness.run(open_both(GetParam(), 0));  // what stays is made
  const std::size_t fds = test::open_fd_count();
  bool failed = true;
  for (std::uint64_t k = 1; failed && !HasFailure(); ++k) {
    SCOPED_TRACE(k);
    coro::trim_frame_cache();
    bool thrown = false;

    try {
      harness.run(open_both(GetParam(), k));
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    failed = test::allocation_failed() || thrown;

    EXPECT_EQ(test::open_fd_count(), fds);
  }
}

coro::Task<Status> send(Port& port, const std::string& payload) { co_return co_await port.send(Message(payload)); }
coro::Task<std::optional<Message>> receive(Port& port) { co_return co_await port.receive(); }

// The peer says how large its message is, and this side has no memory for that.
coro::Task<void> receive_without_memory() {
  constexpr std::size_t kBytes = 1 << 20;
  PortOptions options;
  options.shared_memory = false;
  auto ends = Port::end_pair();
  EXPECT_TRUE(ends.ok()) << ends.status();
  auto [left, right] = co_await coro::when_all(Port::open(std::move(ends->first), options),
                                               Port::open(std::move(ends->second), options));
  EXPECT_TRUE(left.ok() && right.ok());
  const std::string payload(kBytes, 'x');
  test::fail_allocation(1, kBytes);

  auto [sent, received] = co_await coro::when_all(send(**left, payload), receive(**right));

  EXPECT_TRUE(test::allocation_failed());
  EXPECT_EQ(sent.code(), StatusCode::kUnavailable) << sent;
  EXPECT_FALSE(received.has_value());
  EXPECT_EQ((*right)->status(),
            absl::ResourceExhaustedError("receive: no memory for a message of 1048576 bytes: lower message_bytes_max"));
}

TEST(PortMemoryTest, AMessageThatThereIsNoMemoryForEndsTheLinkAndNotTheProcess) {
  test::Harness harness;
  harness.run(receive_without_memory());
}

}  // namespace
}  // namespace wharf::ipc
