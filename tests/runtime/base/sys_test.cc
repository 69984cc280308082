#include "wharf/runtime/base/sys.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime {
namespace {

TEST(SysTest, ACallGivesItsResult) {
  const UniqueFd file(sys::memfd_create("sys_test", MFD_CLOEXEC));
  char text[4] = {};

  EXPECT_EQ(sys::ftruncate(file.get(), 0), 0);
  EXPECT_EQ(sys::write(file.get(), "quay", 4), 4);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(sys::read(file.get(), text, sizeof(text)), 4);
  EXPECT_EQ(std::string(text, 4), "quay");
}

TEST(SysTest, AFailedCallGivesMinusTheErrnoAndLeavesErrnoAlone) {
  errno = EPROTO;
  char byte = 0;

  EXPECT_EQ(sys::read(-1, &byte, 1), -EBADF);
  EXPECT_EQ(sys::close(-1), -EBADF);
  EXPECT_EQ(sys::open("/no/such/file", O_RDONLY), -ENOENT);
  EXPECT_EQ(errno, EPROTO);
}

TEST(SysTest, ASpawnLeavesErrnoAlone) {
  char name[] = "true";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};
  pid_t child = -1;
  errno = EPROTO;

  EXPECT_EQ(sys::posix_spawn(&child, "/no/true", nullptr, nullptr, arguments, environment), -ENOENT);
  EXPECT_EQ(errno, EPROTO);
  EXPECT_EQ(sys::posix_spawn(&child, "/bin/true", nullptr, nullptr, arguments, environment), 0);
  EXPECT_EQ(errno, EPROTO);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST(SysTest, AFailedMappingIsNull) {
  int error = 0;

  EXPECT_EQ(sys::mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &error), nullptr);
  EXPECT_EQ(error, -EINVAL);
}

TEST(SysTest, CallsAreCountedByKind) {
  const sys::Counters before = sys::counters();

  const UniqueFd bell(sys::eventfd(0, EFD_CLOEXEC));
  const std::uint64_t one = 1;
  EXPECT_EQ(sys::write(bell.get(), &one, sizeof(one)), 8);
  EXPECT_EQ(sys::write(bell.get(), &one, sizeof(one)), 8);

  const sys::Counters after = sys::counters();
  EXPECT_EQ(after.of(sys::Call::kEventfd), before.of(sys::Call::kEventfd) + 1);
  EXPECT_EQ(after.of(sys::Call::kWrite), before.of(sys::Call::kWrite) + 2);
  EXPECT_EQ(after.total, before.total + 3);
}

TEST(SysTest, CountersBelongToTheThread) {
  std::uint64_t total = 1;
  std::thread([&total] { total = sys::counters().total; }).join();

  EXPECT_EQ(total, 0U);
}

TEST(FailureInjectionTest, TheKthCallFailsAndNoOther) {
  const UniqueFd bell(sys::eventfd(0, EFD_CLOEXEC));
  const std::uint64_t one = 1;
  const sys::FailureInjection failure(2, ENOSPC);

  EXPECT_EQ(sys::write(bell.get(), &one, sizeof(one)), 8);
  EXPECT_FALSE(failure.fired());
  EXPECT_EQ(sys::write(bell.get(), &one, sizeof(one)), -ENOSPC);
  EXPECT_TRUE(failure.fired());
  EXPECT_EQ(sys::write(bell.get(), &one, sizeof(one)), 8);
}

TEST(FailureInjectionTest, OnlyTheNamedKindIsCounted) {
  const sys::FailureInjection failure(1, EMFILE, sys::Call::kMemfdCreate);

  const UniqueFd bell(sys::eventfd(0, EFD_CLOEXEC));
  EXPECT_TRUE(bell);
  EXPECT_EQ(sys::memfd_create("sys_test", MFD_CLOEXEC), -EMFILE);
}

TEST(FailureInjectionTest, AFailedCloseHasClosed) {
  const int fd = sys::eventfd(0, EFD_CLOEXEC);
  {
    const sys::FailureInjection failure(1, EIO, sys::Call::kClose);
    EXPECT_EQ(sys::close(fd), -EIO);
  }

  EXPECT_EQ(sys::close(fd), -EBADF);
}

TEST(FailureInjectionTest, ItEndsWithItsScope) {
  {
    const sys::FailureInjection failure(1, ENOMEM);
  }
  const UniqueFd bell(sys::eventfd(0, EFD_CLOEXEC));

  EXPECT_TRUE(bell);
}

}  // namespace
}  // namespace wharf::runtime
