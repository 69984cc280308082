#include "wharf/runtime/detail/sleep_price.h"

#include <gtest/gtest.h>

#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/fake_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::FakeBackend;

TEST(SleepPriceTest, IsTheBestOfAFewSleeps) {
  FakeBackend kernel;
  int sleeps = 0;
  kernel.on_sleep = [&](std::int64_t deadline_ns) {
    kernel.clock_ns = deadline_ns + (++sleeps == 3 ? 12'000 : 80'000);
  };

  const SleepPrice price = measure_sleep_price(kernel);

  EXPECT_EQ(price.late_ns, 12'000);
  EXPECT_EQ(kernel.wakes, 1);
}

TEST(SleepPriceTest, ASleepThatEndsEarlyIsGoneOnWith) {
  FakeBackend kernel;
  int calls = 0;
  kernel.on_sleep = [&](std::int64_t deadline_ns) {
    kernel.clock_ns = ++calls % 2 == 0 ? deadline_ns - 1 : deadline_ns + 9'000;
  };

  const SleepPrice price = measure_sleep_price(kernel);

  EXPECT_EQ(price.late_ns, 9'000);
}

TEST(SleepPriceTest, AMachineThatIsBusyIsAskedNoFurther) {
  FakeBackend kernel;
  kernel.on_sleep = [&](std::int64_t deadline_ns) { kernel.clock_ns = deadline_ns + 2'000'000; };

  const SleepPrice price = measure_sleep_price(kernel);

  EXPECT_EQ(kernel.deadlines.size(), 1U);
  EXPECT_EQ(price.late_ns, SleepPrice().late_ns) << "nothing is known: the usual price";
}

TEST(SleepPriceTest, AReactorOnTheKernelSpinsForAPriceWithinTheBounds) {
  StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create();
  ASSERT_TRUE(reactor.ok()) << reactor.status();

  EXPECT_GE((*reactor)->counters().spin_ns, SpinPolicy::kPriceMinNs);
  EXPECT_LE((*reactor)->counters().spin_ns, SpinPolicy::kPriceMaxNs);
}

}  // namespace
}  // namespace wharf::runtime::detail
