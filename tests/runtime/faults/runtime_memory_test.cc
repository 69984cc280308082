// A Runtime of two threads with every allocation failing once, on whichever
// thread it is made: from its creation to the end of its stop.
#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/runtime/runtime.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {
namespace {

using runtime::BackendKind;
using runtime::Runtime;

coro::Task<void> work() { co_await coro::yield(); }

coro::Task<Status> work_elsewhere(Runtime& runtime) {
  runtime.spawn_on(1, work);
  co_return absl::OkStatus();
}

Status run_one(BackendKind backend) {
  StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::create({.reactor_count = 2, .reactor = {.backend = backend}});
  if (!runtime.ok()) return runtime.status();
  return (*runtime)->run(work_elsewhere(**runtime));
}

class RuntimeMemoryTest : public ::testing::TestWithParam<BackendKind> {};
INSTANTIATE_TEST_SUITE_P(Backends, RuntimeMemoryTest, ::testing::Values(BackendKind::kAuto, BackendKind::kEpoll));

TEST_P(RuntimeMemoryTest, EachAllocationThatFailsIsThrownOrAStatusAndItsThreadsEnd) {
  const Watchdog watchdog;
  EXPECT_TRUE(run_one(GetParam()).ok());  // what stays is made
  const std::size_t fds = open_fd_count();
  for (std::uint64_t k = 1; !HasFailure(); ++k) {
    SCOPED_TRACE("allocation " + std::to_string(k));
    coro::trim_frame_cache();
    bool thrown = false;
    Status status;
    fail_allocation(k);
    try {
      status = run_one(GetParam());
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    const bool failed = allocation_failed();

    EXPECT_EQ(open_fd_count(), fds);
    if (failed) continue;
    EXPECT_TRUE(!thrown && status.ok()) << status;
    break;
  }
}

}  // namespace
}  // namespace wharf::test
