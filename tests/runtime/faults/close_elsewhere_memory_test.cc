#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "wharf/runtime/close_elsewhere.h"
#include "wharf/tests/runtime/faults/failing_new.h"

namespace wharf::runtime {
namespace {

TEST(CloseElsewhereMemoryTest, WithoutMemoryForAHelperItIsClosedHere) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reading(fds[0]);

  test::fail_allocation(1);
  close_elsewhere(UniqueFd(fds[1]));

  EXPECT_TRUE(test::allocation_failed());
  pollfd item{reading.get(), 0, 0};
  EXPECT_EQ(::poll(&item, 1, 0), 1);
  EXPECT_NE(item.revents & POLLHUP, 0);
  EXPECT_EQ(closing_count(), 0U);
}

}  // namespace
}  // namespace wharf::runtime
