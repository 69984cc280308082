#include "wharf/runtime/base/private_fd.h"

#include <fcntl.h>

#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/tests/support/in_a_child.h"

namespace wharf::runtime {
namespace {

using test::in_a_child;

UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(PrivateFdTest, AChildHasNoneAndTheParentKeepsIt) {
  const PrivateFd owner(open_null());
  const int fd = owner.get();

  EXPECT_TRUE(in_a_child([&] { return !is_open(fd) && !owner && owner.get() == -1; }));

  EXPECT_EQ(owner.get(), fd);
  EXPECT_TRUE(is_open(fd));
}

TEST(PrivateFdTest, OfMoreThanOneAChildHasNone) {
  PrivateFd first(open_null());
  const PrivateFd second(open_null());
  PrivateFd third(open_null());
  const int fds[] = {first.get(), second.get(), third.get()};
  third.reset();

  EXPECT_TRUE(in_a_child([&] { return !is_open(fds[0]) && !is_open(fds[1]) && !is_open(fds[2]); }));
  first.reset();
  EXPECT_TRUE(in_a_child([&] { return !is_open(fds[1]); }));
}

TEST(PrivateFdTest, ClosesAtItsEnd) {
  int fd = -1;
  {
    const PrivateFd owner(open_null());
    fd = owner.get();
    EXPECT_TRUE(is_open(fd));
  }

  EXPECT_FALSE(is_open(fd));
}

TEST(PrivateFdTest, WhatWasReleasedAChildKeeps) {
  PrivateFd owner(open_null());
  const UniqueFd fd = owner.release();

  EXPECT_FALSE(owner);
  EXPECT_TRUE(in_a_child([&] { return is_open(fd.get()); }));
}

TEST(PrivateFdTest, AMovedFromOneOwnsNothingAndTheOtherIsPrivate) {
  PrivateFd source(open_null());
  const int fd = source.get();
  PrivateFd target(std::move(source));
  EXPECT_FALSE(source);  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_TRUE(in_a_child([&] { return !is_open(fd); }));

  PrivateFd assigned(open_null());
  const int replaced = assigned.get();
  assigned = std::move(target);

  EXPECT_EQ(assigned.get(), fd);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(in_a_child([&] { return !is_open(fd); }));
}

TEST(PrivateFdTest, AssignmentToItselfKeepsTheDescriptor) {
  PrivateFd owner(open_null());
  PrivateFd& same = owner;
  const int fd = owner.get();

  owner = std::move(same);

  EXPECT_EQ(owner.get(), fd);
  EXPECT_TRUE(is_open(fd));
  EXPECT_TRUE(in_a_child([&] { return !is_open(fd); }));
}

// The child's copies of the parent's objects may end there, after the number has been used anew; and the child has its own.
TEST(PrivateFdTest, InAChildTheOldOnesEndWithoutHarmAndNewOnesAreItsOwn) {
  auto old = std::make_unique<PrivateFd>(open_null());

  EXPECT_TRUE(in_a_child([&] {
    PrivateFd own(open_null());  // with the old one's number, as the lowest that is free
    old.reset();
    const int fd = own.get();
    return is_open(fd) && in_a_child([&] { return !is_open(fd); });
  }));
}

}  // namespace
}  // namespace wharf::runtime
