#include "wharf/runtime/detail/stall_watch.h"

#include <cstdint>
#include <optional>

#include <gtest/gtest.h>

namespace wharf::runtime::detail {
namespace {

constexpr std::int64_t kLimitNs = 1000;
constexpr std::int64_t kPeriodNs = 250;

// Looks every kPeriodNs from `from_ns` until before `to_ns`; gives the last report.
std::optional<std::int64_t> look_often(StallWatch& watch, std::uint64_t pulse, std::int64_t from_ns,
                                       std::int64_t to_ns) {
  std::optional<std::int64_t> last;
  for (std::int64_t now_ns = from_ns; now_ns < to_ns; now_ns += kPeriodNs) {
    if (const auto held_ns = watch.look(pulse, now_ns); held_ns.has_value()) last = held_ns;
  }
  return last;
}

TEST(StallWatchTest, ATurnBelowTheLimitIsNoStall) {
  StallWatch watch(kLimitNs);

  EXPECT_EQ(look_often(watch, 1, 0, 1000), std::nullopt);
  EXPECT_EQ(look_often(watch, 3, 1000, 2000), std::nullopt);
}

TEST(StallWatchTest, ATurnAboveTheLimitIsReportedOnce) {
  StallWatch watch(kLimitNs);

  EXPECT_EQ(look_often(watch, 1, 0, 1250), 1000);
  EXPECT_EQ(look_often(watch, 1, 1250, 2000), std::nullopt);
}

TEST(StallWatchTest, AStallIsReportedAgainWhenItHasDoubled) {
  StallWatch watch(kLimitNs);

  EXPECT_EQ(look_often(watch, 1, 0, 2250), 2000);
  EXPECT_EQ(look_often(watch, 1, 2250, 4000), std::nullopt);
  EXPECT_EQ(look_often(watch, 1, 4000, 4250), 4000);
}

TEST(StallWatchTest, AReactorThatRestsIsNotHeldUp) {
  StallWatch watch(kLimitNs);

  EXPECT_EQ(look_often(watch, 2, 0, 100'000), std::nullopt);
}

TEST(StallWatchTest, TheNextStallIsReportedAtTheLimitAgain) {
  StallWatch watch(kLimitNs);
  static_cast<void>(look_often(watch, 1, 0, 9000));

  EXPECT_EQ(look_often(watch, 3, 9000, 10'250), 1000);
}

TEST(StallWatchTest, ALookThatComesLateProvesNothing) {
  StallWatch watch(kLimitNs);
  static_cast<void>(look_often(watch, 1, 0, 500));

  EXPECT_EQ(watch.look(1, 100'000), std::nullopt);
  EXPECT_EQ(look_often(watch, 1, 100'250, 101'000), 1000);
}

TEST(StallWatchTest, ItLooksSeveralTimesInTheLimit) {
  EXPECT_EQ(StallWatch(kLimitNs).period_ns(), 251);
  EXPECT_GT(StallWatch(1).period_ns(), 0);
}

}  // namespace
}  // namespace wharf::runtime::detail
