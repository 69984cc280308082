#include "wharf/coro/executor.h"

#include <coroutine>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/generator.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

Task<void> append(std::vector<int>& to, int n) {
  to.push_back(n);
  co_return;
}

TEST(ExecutorTest, RunsFramesInTheOrderInWhichTheyBecameReady) {
  Loop loop;
  std::vector<int> log;

  auto a = loop.start(append(log, 1));
  auto b = loop.start(append(log, 2));
  auto c = loop.start(append(log, 3));
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
}

TEST(ExecutorTest, RunsNoMoreFramesThanItWasTold) {
  Loop loop;
  std::vector<int> log;
  auto a = loop.start(append(log, 1));
  auto b = loop.start(append(log, 2));
  auto c = loop.start(append(log, 3));

  const std::size_t count = loop.executor().run_ready(2);

  EXPECT_EQ(count, 2U);
  EXPECT_EQ(log, (std::vector<int>{1, 2}));
  EXPECT_FALSE(loop.executor().idle());
  EXPECT_EQ(loop.executor().run_ready(2), 1U);
  EXPECT_TRUE(loop.executor().idle());
}

TEST(ExecutorTest, BudgetAlsoBoundsATaskThatIsAlwaysReady) {
  Loop loop;
  auto spins = [](bool& stop) -> Task<void> {
    while (!stop) co_await yield();
  };
  bool stop = false;
  auto spinning = loop.start(spins(stop));

  EXPECT_EQ(loop.executor().run_ready(100), 100U);

  stop = true;
  loop.run_ready();
}

TEST(ExecutorTest, RunsNothingWhenIdle) {
  Executor executor;

  EXPECT_TRUE(executor.idle());
  EXPECT_EQ(executor.run_ready(10), 0U);
}

TEST(ExecutorTest, ARetiredFrameIsDestroyedBeforeTheNextOneRuns) {
  Loop loop;
  Counted::Counts counts;
  std::vector<std::int64_t> live_log;
  auto holds = [](Counted) -> Task<void> { co_return; };
  auto looks = [](Counted::Counts& all, std::vector<std::int64_t>& log) -> Task<void> {
    log.push_back(all.live());
    co_return;
  };
  Scope scope(loop.executor());

  scope.spawn(holds(Counted(counts)));
  scope.spawn(looks(counts, live_log));
  loop.run_ready();

  EXPECT_EQ(live_log, std::vector<std::int64_t>{0});
}

TEST(ExecutorTest, EnteredOnesNest) {
  EXPECT_EQ(Executor::current(), nullptr);
  Executor outer;
  Executor inner;

  {
    const Executor::Entered enter_outer(outer);
    EXPECT_EQ(Executor::current(), &outer);
    {
      const Executor::Entered enter_inner(inner);
      EXPECT_EQ(Executor::current(), &inner);
    }
    EXPECT_EQ(Executor::current(), &outer);
  }

  EXPECT_EQ(Executor::current(), nullptr);
}

// Whether the handle that a frame computes is the compiler's.
struct KnowsItsHandle {
  static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    Frame& frame = handle.promise();
    same = frame.handle().address() == handle.address();
    return false;
  }
  bool await_resume() const noexcept { return same; }
  bool same = false;
};

template <class T>
Task<T> task_with_result_of(std::vector<bool>& same, T value) {
  same.push_back(co_await KnowsItsHandle());
  co_return value;
}

template <class T>
Generator<T> generator_of(std::vector<bool>& same, T value) {
  same.push_back(co_await KnowsItsHandle());
  co_yield value;
}

TEST(ExecutorTest, AFrameKnowsItsHandleHoweverItsPromiseIsAligned) {
  static_assert(alignof(char) == 1 && alignof(long double) == 16);
  Loop loop;
  std::vector<bool> same;
  auto all = [](std::vector<bool>& found) -> Task<void> {
    found.push_back(co_await KnowsItsHandle());
    EXPECT_EQ(co_await task_with_result_of(found, 'a'), 'a');
    EXPECT_EQ(co_await task_with_result_of(found, 1.0L), 1.0L);
    Generator<char> chars = generator_of(found, 'a');
    Generator<long double> numbers = generator_of(found, 1.0L);
    EXPECT_TRUE(co_await chars.next());
    EXPECT_TRUE(co_await numbers.next());
  };

  loop.run(all(same));

  EXPECT_EQ(same, std::vector<bool>(5, true));
}

TEST(ExecutorTest, IsTheCurrentOneOfItsCoroutines) {
  Executor inner;
  Scope scope(inner);
  const Executor* seen = nullptr;
  auto look = [](const Executor*& found) -> Task<void> {
    co_await yield();
    found = Executor::current();
  };
  scope.spawn(look(seen));

  {
    Executor outer;
    const Executor::Entered enter_outer(outer);
    while (!inner.idle()) inner.run_ready(1);
    EXPECT_EQ(Executor::current(), &outer);
  }

  EXPECT_EQ(seen, &inner);
  EXPECT_EQ(Executor::current(), nullptr);
}

TEST(ExecutorDeathTest, OneThatIsDestroyedWithReadyTasksAborts) {
  auto ready = []() -> Task<void> { co_return; };

  EXPECT_DEATH(
      {
        Executor executor;
        Scope scope(executor);
        scope.spawn(ready());
        executor.~Executor();
      },
      "an Executor was destroyed with tasks in its queue: join every Scope first");
}

}  // namespace
}  // namespace wharf::coro
