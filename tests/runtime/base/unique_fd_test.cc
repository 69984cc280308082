#include "wharf/runtime/base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesOnceAtItsEnd) {
  const int fd = open_null();
  const std::uint64_t closed = sys::counters().of(sys::Call::kClose);
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(owner);
    EXPECT_EQ(owner.get(), fd);
  }

  EXPECT_FALSE(is_open(fd));
  EXPECT_EQ(sys::counters().of(sys::Call::kClose), closed + 1);
}

TEST(UniqueFdTest, AMovedFromOneOwnsNothing) {
  UniqueFd source(open_null());
  const int fd = source.get();

  UniqueFd target(std::move(source));

  EXPECT_EQ(source.get(), -1);  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_EQ(target.get(), fd);
}

TEST(UniqueFdTest, AssignmentClosesWhatItReplaces) {
  UniqueFd target(open_null());
  const int old = target.get();
  UniqueFd source(open_null());
  const int fd = source.get();

  target = std::move(source);

  EXPECT_FALSE(is_open(old));
  EXPECT_EQ(target.get(), fd);
}

TEST(UniqueFdTest, AssignmentToItselfKeepsTheDescriptor) {
  UniqueFd owner(open_null());
  UniqueFd& same = owner;
  const int fd = owner.get();

  owner = std::move(same);

  EXPECT_EQ(owner.get(), fd);
  EXPECT_TRUE(is_open(fd));
}

TEST(UniqueFdTest, ReleaseGivesItAway) {
  UniqueFd owner(open_null());
  const int fd = owner.release();

  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(fd));
  ::close(fd);
}

TEST(UniqueFdTest, ANegativeNumberIsNone) {
  const UniqueFd owner(-EMFILE);

  EXPECT_FALSE(owner);
  EXPECT_EQ(owner.get(), -1);
}

TEST(UniqueFdTest, ResetLeavesErrnoAlone) {
  UniqueFd owner(open_null());
  ::close(owner.get());  // so that closing it fails
  errno = EPROTO;

  owner.reset();

  EXPECT_EQ(errno, EPROTO);
}

}  // namespace
}  // namespace wharf::runtime
