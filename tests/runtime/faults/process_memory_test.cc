#include <sys/wait.h>

#include <cstdint>
#include <memory>
#include <new>

#include <gtest/gtest.h>

#include "wharf/runtime/process.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

TEST(ProcessMemoryTest, ASpawnThatRunsOutOfMemoryLeavesNoChildAndNoDescriptor) {
  const test::Watchdog watchdog;
  SpawnOptions options("/bin/true");
  options.input = SpawnOptions::Standard::kNull;
  options.output = SpawnOptions::Standard::kPipe;
  bool failed = true;
  for (std::uint64_t k = 1; failed; ++k) {
    SCOPED_TRACE(k);
    const std::size_t fds = test::open_fd_count();
    bool thrown = false;

    test::fail_allocation(k);
    try {
      static_cast<void>(Process::spawn(options));
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    failed = test::allocation_failed();

    EXPECT_EQ(thrown, failed);
    EXPECT_EQ(test::open_fd_count(), fds);
    EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT), -1);
  }
}

}  // namespace
}  // namespace wharf::runtime
