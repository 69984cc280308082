// A port that is opened with every allocation failing once.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
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

class PortMemoryTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, PortMemoryTest, ::testing::Bool(),
                         [](const auto& shared) { return shared.param ? "SharedMemory" : "Socket"; });

TEST_P(PortMemoryTest, OpenThatRunsOutOfMemoryThrowsAndLeavesNothing) {
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

}  // namespace
}  // namespace wharf::ipc
