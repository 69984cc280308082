#include "wharf/coro/task.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

Task<int> number(int n) { co_return n; }

Task<void> append(std::vector<int>& to, int n) {
  to.push_back(n);
  co_return;
}

Task<int> fails() {
  throw std::runtime_error("adrift");
  co_return 0;
}

TEST(TaskTest, GivesAValue) {
  Loop loop;

  const int result = loop.run(number(7));

  EXPECT_EQ(result, 7);
}

TEST(TaskTest, GivesTheValueOfATaskThatItAwaits) {
  Loop loop;
  auto twice = [](int n) -> Task<int> {
    const int once = co_await number(n);
    co_return 2 * once;
  };

  const int result = loop.run(twice(21));

  EXPECT_EQ(result, 42);
}

TEST(TaskTest, GivesAReferenceToTheVeryObject) {
  Loop loop;
  int berth = 3;
  auto same = [](int& n) -> Task<int&> { co_return n; };

  int& result = loop.run(same(berth));

  EXPECT_EQ(&result, &berth);
}

TEST(TaskTest, GivesAReferenceToWhatMayNotBeChangedAndOneToMoveFrom) {
  Loop loop;
  const std::string name = "quay";
  auto borrow = [](const std::string& text) -> Task<const std::string&> { co_return text; };
  auto box = std::make_unique<int>(4);
  auto give = [](std::unique_ptr<int>& from) -> Task<std::unique_ptr<int>&&> { co_return std::move(from); };
  auto body = [&]() -> Task<void> {
    const std::string& borrowed = co_await borrow(name);
    CO_ASSERT_EQ(&borrowed, &name);
    std::unique_ptr<int> mine = co_await give(box);
    CO_ASSERT_EQ(*mine, 4);
  };

  loop.run(body());

  EXPECT_EQ(box, nullptr);
}

// Neither to be made without arguments, nor copied, nor assigned.
struct Mooring {
  explicit Mooring(int number) : berth(number) {}
  Mooring(Mooring&&) = default;
  Mooring& operator=(Mooring&&) = delete;
  const int berth;
};

TEST(TaskTest, GivesAResultThatCanOnlyBeMoved) {
  Loop loop;
  auto moor = [](int n) -> Task<Mooring> {
    co_await yield();
    co_return Mooring(n);
  };
  auto pass = [&]() -> Task<Mooring> { co_return co_await moor(6); };

  EXPECT_EQ(loop.run(pass()).berth, 6);
}

TEST(TaskTest, AResultThatThrowsWhenItIsMadeIsAnExceptionOfTheTask) {
  Loop loop;
  struct Picky {
    explicit Picky(int n) {
      if (n < 0) throw std::runtime_error("below zero");
    }
  };
  auto make = [](int n) -> Task<Picky> { co_return n; };

  EXPECT_THROW(loop.run(make(-1)), std::runtime_error);
}

TEST(TaskTest, GivesAMoveOnlyResultOnce) {
  Loop loop;
  auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  auto pass = [](auto inner) -> Task<std::unique_ptr<int>> { co_return co_await inner(); };

  const std::unique_ptr<int> result = loop.run(pass(make));

  ASSERT_NE(result, nullptr);
  EXPECT_EQ(*result, 5);
}

TEST(TaskTest, GivesAnOptionalThatIsEmptyAndOneThatIsNot) {
  Loop loop;
  auto half = [](int n) -> Task<std::optional<int>> {
    if (n % 2 != 0) co_return std::nullopt;
    co_return n / 2;
  };

  EXPECT_EQ(loop.run(half(8)), 4);
  EXPECT_EQ(loop.run(half(7)), std::nullopt);
}

TEST(TaskTest, VoidTaskEndsWithoutAValue) {
  Loop loop;
  std::vector<int> log;

  loop.run(append(log, 1));

  EXPECT_EQ(log, std::vector<int>{1});
}

TEST(TaskTest, AnExceptionIsThrownAgainFromTheAwait) {
  Loop loop;
  auto catches = []() -> Task<std::string> {
    std::string what;
    try {
      const int n = co_await fails();
      what = std::to_string(n);
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    co_return what;
  };

  EXPECT_EQ(loop.run(catches()), "adrift");
}

TEST(TaskTest, AnExceptionPassesThroughTasksThatDoNotCatchIt) {
  Loop loop;
  auto passes = []() -> Task<int> { co_return co_await fails(); };

  EXPECT_THROW(loop.run(passes()), std::runtime_error);
}

TEST(TaskTest, DoesNothingUntilItIsAwaited) {
  Loop loop;
  std::vector<int> log;
  auto body = [](std::vector<int>& to) -> Task<void> {
    Task<void> second = append(to, 2);
    co_await append(to, 1);
    co_await std::move(second);
  };

  loop.run(body(log));

  EXPECT_EQ(log, (std::vector<int>{1, 2}));
}

TEST(TaskTest, OneThatNeverStartsFreesItsParameters) {
  Counted::Counts counts;
  auto keep = [](Counted item) -> Task<int> { co_return item.value; };

  {
    auto never = keep(Counted(counts));
  }

  EXPECT_EQ(counts.made, 1);
  EXPECT_EQ(counts.destroyed, 1);
}

TEST(TaskTest, ParametersAndLocalsAreDestroyedExactlyOnce) {
  Loop loop;
  Counted::Counts counts;
  auto body = [](Counted item, Counted::Counts& all) -> Task<Counted> {
    Counted local(all, item.value + 1);
    co_await yield();
    co_return local;
  };

  {
    EXPECT_EQ(loop.run(body(Counted(counts, 1), counts)).value, 2);
  }

  EXPECT_EQ(counts.made, 2);
  EXPECT_EQ(counts.destroyed, 2);
}

TEST(TaskTest, MovingHandsTheFrameOver) {
  Loop loop;
  Task<int> first = number(1);
  Task<int> second = number(2);

  first = std::move(second);

  EXPECT_EQ(loop.run(std::move(first)), 2);
}

// How much of the stack was in use between the shallowest and the deepest call of note().
class StackUse {
 public:
  [[gnu::noinline]] void note() {
    const auto here = detail::stack_address();
    lowest_ = std::min(lowest_, here);
    highest_ = std::max(highest_, here);
  }
  std::size_t bytes() const { return highest_ - lowest_; }

 private:
  std::uintptr_t lowest_ = UINTPTR_MAX;
  std::uintptr_t highest_ = 0;
};
// The smallest stack that a thread is likely to have.
constexpr std::size_t kStackBytesMax = 128 * 1024;

TEST(TaskTest, ChainOfAMillionNestedAwaitsNeedsBoundedStack) {
  Loop loop;
  struct Depth {
    static Task<int> of(int n, StackUse& stack) {
      stack.note();
      int below = 0;
      if (n > 0) below = co_await of(n - 1, stack);
      stack.note();
      co_return n > 0 ? below + 1 : 0;
    }
  };
  StackUse stack;

  EXPECT_EQ(loop.run(Depth::of(1'000'000, stack)), 1'000'000);

  EXPECT_LT(stack.bytes(), kStackBytesMax);
}

TEST(TaskTest, AMillionSynchronousCompletionsNeedBoundedStack) {
  Loop loop;
  auto sum = [](StackUse& stack) -> Task<std::int64_t> {
    std::int64_t total = 0;
    for (int i = 0; i < 1'000'000; ++i) {
      const int one = co_await number(1);
      total += one;
      stack.note();
    }
    co_return total;
  };
  StackUse stack;

  EXPECT_EQ(loop.run(sum(stack)), 1'000'000);

  EXPECT_LT(stack.bytes(), kStackBytesMax);
}

TEST(TaskTest, AnExceptionUnwindsADeepChainInBoundedStack) {
  Loop loop;
  struct Depth {
    static Task<void> of(int n) {
      if (n == 0) throw std::runtime_error("bottom");
      co_await of(n - 1);
    }
  };

  EXPECT_THROW(loop.run(Depth::of(100'000)), std::runtime_error);
}

TEST(TaskTest, YieldGivesEveryReadyTaskItsTurn) {
  Loop loop;
  std::vector<int> log;
  auto body = [](std::vector<int>& to, int n) -> Task<void> {
    for (int round = 0; round < 2; ++round) {
      to.push_back(n);
      co_await yield();
    }
  };

  auto a = loop.start(body(log, 1));
  auto b = loop.start(body(log, 2));
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2, 1, 2}));
}

TEST(TaskTest, InheritsTheStopTokenThroughTheAwaitChain) {
  Loop loop;
  auto inner = []() -> Task<bool> {
    co_await yield();
    const StopToken token = co_await stop_token();
    co_return token.stop_requested();
  };
  auto outer = [](auto asks) -> Task<bool> { co_return co_await asks(); };

  auto stopped = loop.start(outer(inner));
  loop.stop();
  loop.run_ready();

  EXPECT_TRUE(stopped.take());
}

TEST(TaskTest, StoppingDoesNotEndATaskThatDoesNotAsk) {
  Loop loop;
  loop.stop();

  EXPECT_EQ(loop.run(number(4)), 4);
}

TEST(TaskDeathTest, ARunningTaskThatIsDestroyedAborts) {
  EXPECT_DEATH(
      {
        Loop loop;
        Event event;
        auto waits = [](Event& never) -> Task<void> { co_await never.wait(); };
        auto started = loop.start(waits(event));
        loop.run_ready();
      },
      "a running Task was destroyed: await it, or join the Scope");
}

TEST(TaskDeathTest, AwaitingTwiceAborts) {
  auto twice = []() -> Task<void> {
    Task<int> task = number(1);
    co_await std::move(task);
    co_await std::move(task);
  };

  EXPECT_DEATH(
      {
        Loop loop;
        loop.run(twice());
      },
      "a Task was awaited twice, or after it was moved from");
}

TEST(TaskDeathTest, AwaitingAMovedFromTaskAborts) {
  auto moved = []() -> Task<void> {
    Task<int> task = number(1);
    const Task<int> other = std::move(task);
    co_await std::move(task);
  };

  EXPECT_DEATH(
      {
        Loop loop;
        loop.run(moved());
      },
      "a Task was awaited twice, or after it was moved from");
}

TEST(TaskDeathTest, StartingTwiceAborts) {
  EXPECT_DEATH(
      {
        Loop loop;
        Task<int> task = number(1);
        const Task<int> other = std::move(task);
        loop.run(std::move(task));
      },
      "a Task was started twice, or after it was moved from");
}

TEST(TaskDeathTest, ReadingAResultThatIsNotThereAborts) {
  Task<int> task = number(1);

  EXPECT_DEATH(task.take(), "the result of a task was read before the task had one");
}

}  // namespace
}  // namespace wharf::coro
