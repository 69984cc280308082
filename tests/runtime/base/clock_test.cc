#include "wharf/runtime/base/clock.h"

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

TEST(ClockTest, NeverGoesBack) {
  std::int64_t last = now_ns();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = now_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, ADeadlineIsTheSumWithinItsRange) {
  EXPECT_EQ(deadline_after(100, 50), 150);
  EXPECT_EQ(deadline_after(100, -50), 100);
  EXPECT_EQ(deadline_after(100, kNever), kNever);
  EXPECT_EQ(deadline_after(100, kNever - 100), kNever);
  EXPECT_EQ(deadline_after(100, kNever - 101), kNever - 1);
}

}  // namespace
}  // namespace wharf::runtime
