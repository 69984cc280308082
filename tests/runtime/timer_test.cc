#include "wharf/runtime/timer.h"

#include <chrono>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::FakeBackend;

class CallbackTimer final : public Timer {
 public:
  explicit CallbackTimer(int& count) : count_(count) {}

 private:
  void on_expired() noexcept override { ++count_; }
  int& count_;
};

// Time passes only in sleeps.
class TimerTest : public ::testing::Test {
 protected:
  TimerTest() {
    auto backend = std::make_unique<FakeBackend>();
    kernel_ = backend.get();
    kernel_->on_sleep = [this](std::int64_t deadline_ns) { kernel_->clock_ns = deadline_ns; };
    reactor_ = Reactor::create_on(std::move(backend));
  }
  template <class T>
  T run(Task<T> task) {
    return reactor_->run(std::move(task));
  }

  FakeBackend* kernel_ = nullptr;
  std::unique_ptr<Reactor> reactor_;
};

Task<void> sleep_and_log(milliseconds duration, int number, std::vector<int>& log) {
  const bool elapsed = co_await sleep_for(duration);
  if (elapsed) log.push_back(number);
}

Task<void> sleep_side_by_side(std::vector<int>& log) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(sleep_and_log(milliseconds(30), 3, log));
    scope.spawn(sleep_and_log(milliseconds(10), 1, log));
    scope.spawn(sleep_and_log(milliseconds(20), 2, log));
    scope.spawn(sleep_and_log(milliseconds(0), 0, log));
    co_return;
  });
}

TEST_F(TimerTest, SleepersWakeInTheOrderOfTheirDeadlines) {
  std::vector<int> log;
  run(sleep_side_by_side(log));

  EXPECT_EQ(log, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(kernel_->deadlines.size(), 3U);
}

Task<std::int64_t> measure(milliseconds duration) {
  const std::int64_t before = Reactor::current().now_ns();
  const bool elapsed = co_await sleep_for(duration);
  EXPECT_TRUE(elapsed);
  co_return Reactor::current().now_ns() - before;
}

TEST_F(TimerTest, ASleepTakesItsTimeAndNoLess) {
  EXPECT_EQ(run(measure(milliseconds(5))), 5'000'000);
  EXPECT_EQ(run(measure(milliseconds(-5))), 0);
}

TEST(RealTimerTest, ASleepOnTheRealClockIsNeverTooShort) {
  test::Harness harness;

  EXPECT_GE(harness.run(measure(milliseconds(3))), 3'000'000);
}

Task<void> sleep_and_note(std::int64_t deadline_ns, bool& elapsed) { elapsed = co_await sleep_until(deadline_ns); }

Task<void> stop_a_sleeper(bool& elapsed) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(sleep_and_note(kNever, elapsed));
    co_await coro::yield();
    scope.cancel();
  });
}

TEST_F(TimerTest, AStopEndsASleepEvenOneForEver) {
  bool elapsed = true;
  run(stop_a_sleeper(elapsed));

  EXPECT_FALSE(elapsed);
  EXPECT_TRUE(kernel_->deadlines.empty());
}

Task<bool> sleep_stopped() {
  Reactor::current().request_stop();
  const bool elapsed = co_await sleep_for(milliseconds(1));
  co_return elapsed;
}

TEST_F(TimerTest, AStoppedTaskDoesNotBeginToSleep) { EXPECT_FALSE(run(sleep_stopped())); }

Task<void> set_and_cancel(int& count) {
  CallbackTimer kept(count);
  CallbackTimer cancelled(count);
  const std::int64_t now = Reactor::current().now_ns();
  kept.set(now + 2);
  cancelled.set(now + 1);
  EXPECT_TRUE(cancelled.is_set());
  cancelled.cancel();
  cancelled.cancel();
  EXPECT_FALSE(cancelled.is_set());
  co_await sleep_for(milliseconds(1));
  EXPECT_FALSE(kept.is_set());
}

TEST_F(TimerTest, ACancelledTimerDoesNotExpire) {
  int count = 0;
  run(set_and_cancel(count));

  EXPECT_EQ(count, 1);
}

Task<void> set_twice(int& count) {
  CallbackTimer timer(count);
  const std::int64_t now = Reactor::current().now_ns();
  timer.set(now + 1'000);
  timer.set(now + 5'000'000);
  EXPECT_EQ(timer.deadline_ns(), now + 5'000'000);
  co_await sleep_for(milliseconds(1));
  EXPECT_EQ(count, 0);
  co_await sleep_for(milliseconds(10));
  EXPECT_EQ(count, 1);
  timer.set(kNever);
  EXPECT_FALSE(timer.is_set());
}

TEST_F(TimerTest, SettingATimerAgainReplacesItsDeadline) {
  int count = 0;
  run(set_twice(count));
}

Task<void> let_one_die(int& count) {
  {
    CallbackTimer timer(count);
    timer.set(Reactor::current().now_ns() + 1);
  }
  co_await sleep_for(milliseconds(1));
}

TEST_F(TimerTest, ADyingTimerCancelsItself) {
  int count = 0;
  run(let_one_die(count));

  EXPECT_EQ(count, 0);
}

Task<void> set_many(int& count, std::deque<CallbackTimer>& timers) {
  const std::int64_t now = Reactor::current().now_ns();
  std::int64_t offset = 0;
  for (CallbackTimer& timer : timers) {
    offset = (offset + 7'919) % 100'000;
    timer.set(now + 1 + offset);
  }
  co_await sleep_for(milliseconds(1));
  EXPECT_EQ(count, static_cast<int>(timers.size()));
}

TEST_F(TimerTest, AHundredThousandAreLiveAtOnce) {
  int count = 0;
  std::deque<CallbackTimer> timers;
  for (int i = 0; i < 100'000; ++i) timers.emplace_back(count);
  kernel_->on_sleep = [this](std::int64_t) { kernel_->clock_ns += 2'000'000; };
  run(set_many(count, timers));
}

}  // namespace
}  // namespace wharf::runtime
