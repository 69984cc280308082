#include "wharf/runtime/interval.h"

#include <chrono>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using namespace std::chrono_literals;

// A reactor whose clock jumps to each deadline that it sleeps for.
struct ManualReactor {
  ManualReactor() {
    auto owned = std::make_unique<test::FakeBackend>();
    backend = owned.get();
    backend->on_sleep = [this](std::int64_t deadline_ns) { backend->clock_ns = deadline_ns; };
    reactor = Reactor::create_on(std::move(owned));
  }
  test::FakeBackend* backend = nullptr;
  std::unique_ptr<Reactor> reactor;
};

Task<void> tick_five_times(test::FakeBackend& backend) {
  const std::int64_t start = backend.clock_ns;
  Interval interval(1ms);
  for (int i = 1; i <= 5; ++i) {
    const std::uint64_t periods = co_await interval.tick();
    EXPECT_EQ(periods, 1U);
    EXPECT_GE(backend.clock_ns, start + i * 1'000'000);
    EXPECT_LT(backend.clock_ns, start + (i + 1) * 1'000'000);
  }
  EXPECT_EQ((interval.next_ns() - start) / 1'000'000, 6);
}

TEST(IntervalTest, TicksComeAtEqualDistances) {
  ManualReactor manual;
  manual.reactor->run(tick_five_times(*manual.backend));
}

Task<void> be_late(test::FakeBackend& backend) {
  Interval interval(1ms);
  const std::int64_t first = interval.next_ns();
  backend.clock_ns += 3'500'000;
  std::uint64_t periods = co_await interval.tick();
  EXPECT_EQ(periods, 3U);
  EXPECT_EQ(interval.next_ns(), first + 3'000'000);
  periods = co_await interval.tick();
  EXPECT_EQ(periods, 1U);
}

TEST(IntervalTest, WhoIsLateIsToldHowMuchAndKeepsTheBeat) {
  ManualReactor manual;
  manual.reactor->run(be_late(*manual.backend));
}

Task<std::uint64_t> tick(Interval& interval) {
  const std::uint64_t periods = co_await interval.tick();
  co_return periods;
}

Task<void> stop_a_ticker() {
  Interval interval(1h);
  const std::int64_t next = interval.next_ns();
  const std::uint64_t periods = co_await test::stopped(tick(interval));
  EXPECT_EQ(periods, 0U);
  EXPECT_EQ(interval.next_ns(), next);
}

TEST(IntervalTest, AStopGivesZeroAndLosesNoTick) {
  test::Harness harness;
  harness.run(stop_a_ticker());
}

Task<void> tick_without_a_period() {
  Interval interval(0ns);
  EXPECT_EQ(interval.period_ns(), 1);
  const std::uint64_t periods = co_await interval.tick();
  EXPECT_GE(periods, 1U);
}

TEST(IntervalTest, APeriodOfNothingIsANanosecond) {
  test::Harness harness;
  harness.run(tick_without_a_period());
}

}  // namespace
}  // namespace wharf::runtime
