#include "wharf/runtime/detail/spin_policy.h"

#include <limits>

#include <gtest/gtest.h>

namespace wharf::runtime::detail {
namespace {

constexpr std::int64_t kSpinNs = 50'000;

void fail_until_it_gives_up(SpinPolicy& policy) {
  for (std::uint32_t i = 0; i < SpinPolicy::kFailuresMax; ++i) policy.missed();
}

TEST(SpinPolicyTest, ZeroNeverSpins) {
  SpinPolicy policy(0);

  EXPECT_FALSE(policy.should_spin());
}

TEST(SpinPolicyTest, SpinsUntilItHasFailedSeveralTimesInARow) {
  SpinPolicy policy(kSpinNs);
  for (std::uint32_t i = 0; i < SpinPolicy::kFailuresMax; ++i) {
    EXPECT_TRUE(policy.should_spin());
    policy.missed();
  }

  EXPECT_FALSE(policy.should_spin());
}

TEST(SpinPolicyTest, ASuccessInBetweenStartsTheCountAfresh) {
  SpinPolicy policy(kSpinNs);
  policy.missed();
  policy.missed();
  policy.caught();
  for (std::uint32_t i = 1; i < SpinPolicy::kFailuresMax; ++i) policy.missed();

  EXPECT_TRUE(policy.should_spin());
}

TEST(SpinPolicyTest, HavingGivenUpItProbesNowAndThen) {
  SpinPolicy policy(kSpinNs);
  fail_until_it_gives_up(policy);
  std::uint32_t spins = 0;
  for (std::uint32_t i = 0; i < 10 * SpinPolicy::kProbePeriod; ++i) {
    if (!policy.should_spin()) continue;
    ++spins;
    policy.missed();
  }

  EXPECT_EQ(spins, 10U);
}

TEST(SpinPolicyTest, AWakeSoonAfterTheSleepBeganSaysSpin) {
  SpinPolicy policy(kSpinNs);
  fail_until_it_gives_up(policy);

  policy.woken_after(kSpinNs);

  EXPECT_TRUE(policy.should_spin());
}

TEST(SpinPolicyTest, AWakeLongAfterwardsDoesNot) {
  SpinPolicy policy(kSpinNs);
  fail_until_it_gives_up(policy);

  policy.woken_after(4 * kSpinNs);

  EXPECT_FALSE(policy.should_spin());
}

TEST(SpinPolicyTest, TheLongestTimeDoesNotOverflow) {
  SpinPolicy policy(std::numeric_limits<std::int64_t>::max());
  fail_until_it_gives_up(policy);

  policy.woken_after(std::numeric_limits<std::int64_t>::max());

  EXPECT_TRUE(policy.should_spin());
}

TEST(SpinPolicyTest, AMeasuredPriceIsThatOfTheSleepAndTheWake) {
  SpinPolicy policy(SleepPrice{.late_ns = 20'000, .wake_ns = 3'000});

  EXPECT_EQ(policy.spin_ns(), 23'000);
}

TEST(SpinPolicyTest, AMeasuredPriceIsKeptWithinItsBounds) {
  EXPECT_EQ(SpinPolicy(SleepPrice{.late_ns = 0, .wake_ns = 100}).spin_ns(), SpinPolicy::kPriceMinNs);
  EXPECT_EQ(SpinPolicy(SleepPrice{.late_ns = kNever, .wake_ns = 100}).spin_ns(), SpinPolicy::kPriceMaxNs);
}

TEST(SpinPolicyTest, AMeasuredPriceFollowsTheSleeps) {
  SpinPolicy policy(SleepPrice{.late_ns = 20'000, .wake_ns = 0});
  for (int i = 0; i < 200; ++i) policy.overslept(60'000);

  EXPECT_NEAR(static_cast<double>(policy.spin_ns()), 60'000, 1000);
}

TEST(SpinPolicyTest, AGivenTimeStaysAsItIs) {
  SpinPolicy policy(kSpinNs);
  policy.overslept(1'000);

  EXPECT_EQ(policy.spin_ns(), kSpinNs);
}

}  // namespace
}  // namespace wharf::runtime::detail
