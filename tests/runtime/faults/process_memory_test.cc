#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <new>

#include <gtest/gtest.h>

#include "wharf/coro/compiler.h"
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

// While it lives this process gets no more than `spare_bytes` of further address space.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(std::size_t spare_bytes) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    EXPECT_EQ(::getrlimit(RLIMIT_AS, &before_), 0);
    rlimit limit = before_;
    limit.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + spare_bytes;
    EXPECT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
  }
  ~AddressSpaceLimit() { EXPECT_EQ(::setrlimit(RLIMIT_AS, &before_), 0); }
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;

 private:
  rlimit before_{};
};

// posix_spawn copies the directory: there is room for the path once.
TEST(ProcessMemoryTest, AStepOfTheChildThatThereIsNoMemoryForIsNotLeftOut) {
  if (WHARF_SANITIZED) GTEST_SKIP() << "the sanitizer's allocator needs the address space";
  const test::Watchdog watchdog;
  SpawnOptions options("/bin/true");
  options.directory.assign(std::size_t{64} << 20, '/');
  const AddressSpaceLimit limit(std::size_t{16} << 20);

  const StatusOr<std::unique_ptr<Process>> spawned = Process::spawn(options);

  EXPECT_EQ(spawned.status().message(), "spawn /bin/true: Cannot allocate memory (ENOMEM)");
}

}  // namespace
}  // namespace wharf::runtime
