#include "wharf/coro/generator.h"

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

Generator<int> count_to(int last) {
  for (int n = 1; n <= last; ++n) co_yield n;
}

Generator<int> count_slowly(int last) {
  for (int n = 1; n <= last; ++n) {
    co_await yield();
    co_yield n;
  }
}

Task<std::vector<int>> collect(Generator<int> from) {
  std::vector<int> all;
  while (auto n = co_await from.next()) all.push_back(*n);
  co_return all;
}

// Yields 1 once the event is set; ends when stopped.
Generator<int> one_when_set(Event& event) {
  const bool set = co_await event.wait();
  if (!set) co_return;
  co_yield 1;
}

TEST(GeneratorTest, GivesWhatItYieldsInOrderAndThenNothing) {
  Loop loop;

  EXPECT_EQ(loop.run(collect(count_to(4))), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(loop.run(collect(count_to(0))), std::vector<int>{});
}

TEST(GeneratorTest, MayWaitBetweenItsValues) {
  Loop loop;

  EXPECT_EQ(loop.run(collect(count_slowly(3))), (std::vector<int>{1, 2, 3}));
}

TEST(GeneratorTest, MayAwaitTasksAndOtherGenerators) {
  Loop loop;
  auto twice = [](int n) -> Task<int> {
    co_await yield();
    co_return 2 * n;
  };
  auto doubled = [](Generator<int> from, auto apply) -> Generator<int> {
    while (auto n = co_await from.next()) {
      const int result = co_await apply(*n);
      co_yield result;
    }
  };

  EXPECT_EQ(loop.run(collect(doubled(count_slowly(3), twice))), (std::vector<int>{2, 4, 6}));
}

TEST(GeneratorTest, RunsOnlyWhileItsNextIsAwaited) {
  Loop loop;
  std::vector<std::string> log;
  auto makes = [](std::vector<std::string>& to) -> Generator<int> {
    to.emplace_back("first");
    co_yield 1;
    to.emplace_back("second");
    co_yield 2;
  };
  auto body = [&]() -> Task<void> {
    auto numbers = makes(log);
    log.emplace_back("made");
    auto one = co_await numbers.next();
    log.push_back("got " + std::to_string(*one));
    auto two = co_await numbers.next();
    log.push_back("got " + std::to_string(*two));
  };

  loop.run(body());

  EXPECT_EQ(log, (std::vector<std::string>{"made", "first", "got 1", "second", "got 2"}));
}

TEST(GeneratorTest, AfterItsEndNextGivesNothingAgain) {
  Loop loop;
  auto body = []() -> Task<int> {
    auto numbers = count_to(1);
    int found = 0;
    for (int i = 0; i < 4; ++i) {
      auto n = co_await numbers.next();
      found += n.has_value() ? 1 : 0;
    }
    co_return found;
  };

  EXPECT_EQ(loop.run(body()), 1);
}

TEST(GeneratorTest, YieldsMoveOnlyValues) {
  Loop loop;
  auto makes = []() -> Generator<std::unique_ptr<int>> {
    co_yield std::make_unique<int>(4);
    auto named = std::make_unique<int>(5);
    co_yield std::move(named);
  };
  auto body = [&]() -> Task<int> {
    auto boxes = makes();
    int sum = 0;
    while (auto box = co_await boxes.next()) sum += **box;
    co_return sum;
  };

  EXPECT_EQ(loop.run(body()), 9);
}

TEST(GeneratorTest, OfReferencesGivesPointersToTheVeryObjects) {
  Loop loop;
  std::vector<int> berths{1, 2, 3};
  auto each = [](std::vector<int>& all) -> Generator<int&> {
    for (int& berth : all) co_yield berth;
  };
  auto body = [&]() -> Task<void> {
    auto references = each(berths);
    while (int* berth = co_await references.next()) *berth *= 10;
  };

  loop.run(body());

  EXPECT_EQ(berths, (std::vector<int>{10, 20, 30}));
}

TEST(GeneratorTest, AnExceptionIsThrownByNextOnceAndEndsIt) {
  Loop loop;
  auto fails = []() -> Generator<int> {
    co_yield 1;
    throw std::runtime_error("adrift");
  };
  std::vector<std::string> log;
  auto body = [&]() -> Task<void> {
    auto numbers = fails();
    for (int i = 0; i < 3; ++i) {
      try {
        auto n = co_await numbers.next();
        log.push_back(n ? std::to_string(*n) : "end");
      } catch (const std::runtime_error& error) {
        log.emplace_back(error.what());
      }
    }
  };

  loop.run(body());

  EXPECT_EQ(log, (std::vector<std::string>{"1", "adrift", "end"}));
}

TEST(GeneratorTest, OneThatIsDroppedBeforeItsEndDestroysWhatItHolds) {
  Loop loop;
  Counted::Counts counts;
  auto makes = [](Counted parameter, Counted::Counts& all) -> Generator<Counted> {
    Counted local(all, parameter.value + 1);
    for (int n = 10;; ++n) co_yield Counted(all, n);
  };
  auto body = [&]() -> Task<int> {
    auto endless = makes(Counted(counts, 1), counts);
    auto first = co_await endless.next();
    auto second = co_await endless.next();
    co_return first->value + second->value;
  };

  EXPECT_EQ(loop.run(body()), 21);
  EXPECT_EQ(counts.made, 4);
  EXPECT_EQ(counts.live(), 0);
}

TEST(GeneratorTest, OneThatNeverStartsFreesItsParameters) {
  Counted::Counts counts;
  auto makes = [](Counted item) -> Generator<int> { co_yield item.value; };

  {
    auto never = makes(Counted(counts));
  }

  EXPECT_EQ(counts.live(), 0);
}

TEST(GeneratorTest, MovingHandsTheFrameOver) {
  Loop loop;
  auto body = []() -> Task<std::vector<int>> {
    auto first = count_to(3);
    std::vector<int> seen;
    auto n = co_await first.next();
    seen.push_back(*n);
    Generator<int> second = count_to(9);
    second = std::move(first);
    while (auto more = co_await second.next()) seen.push_back(*more);
    co_return seen;
  };

  EXPECT_EQ(loop.run(body()), (std::vector<int>{1, 2, 3}));
}

TEST(GeneratorTest, AMillionValuesNeedBoundedStack) {
  Loop loop;
  auto sum = []() -> Task<std::int64_t> {
    auto numbers = count_to(1'000'000);
    std::int64_t total = 0;
    while (auto n = co_await numbers.next()) total += *n;
    co_return total;
  };

  EXPECT_EQ(loop.run(sum()), 500'000'500'000);
}

TEST(GeneratorTest, AStopBeforeNextReachesWhatItAwaits) {
  Loop loop;
  Event never;
  loop.stop();

  EXPECT_EQ(loop.run(collect(one_when_set(never))), std::vector<int>{});
}

TEST(GeneratorTest, AStopDuringNextReachesWhatItAwaits) {
  Loop loop;
  Event never;
  auto all = loop.start(collect(one_when_set(never)));
  loop.run_ready();
  EXPECT_FALSE(all.done());

  loop.stop();
  loop.run_ready();

  EXPECT_EQ(all.take(), std::vector<int>{});
}

TEST(GeneratorTest, AStopAfterTheWaitHasEndedLosesNothing) {
  Loop loop;
  Event event;
  auto all = loop.start(collect(one_when_set(event)));
  loop.run_ready();

  event.set();
  loop.stop();
  loop.run_ready();

  EXPECT_EQ(all.take(), std::vector<int>{1});
}

TEST(GeneratorTest, RunsUnderTheTokenOfWhoeverAwaitsNext) {
  Loop stopped;
  Loop loop;
  Event event;
  event.set();
  auto tokens = []() -> Generator<bool> {
    while (true) {
      const StopToken token = co_await stop_token();
      co_yield token.stop_requested();
    }
  };
  auto ask = [](Generator<bool>& from) -> Task<bool> {
    auto answer = co_await from.next();
    co_return *answer;
  };
  stopped.stop();
  auto answers = tokens();

  EXPECT_TRUE(stopped.run(ask(answers)));
  EXPECT_FALSE(loop.run(ask(answers)));
}

TEST(GeneratorDeathTest, OneThatIsDestroyedWhileSomebodyWaitsAborts) {
  EXPECT_DEATH(
      {
        Loop loop;
        Event never;
        std::optional<Generator<int>> numbers(one_when_set(never));
        auto ask = [](Generator<int>& from) -> Task<void> {
          auto n = co_await from.next();
          static_cast<void>(n);
        };
        auto waiting = loop.start(ask(*numbers));
        loop.run_ready();
        numbers.reset();
      },
      "a Generator was destroyed while somebody waits for its next");
}

TEST(GeneratorDeathTest, TwoTasksThatAwaitItsNextAbort) {
  EXPECT_DEATH(
      {
        Loop loop;
        Event never;
        auto numbers = one_when_set(never);
        auto ask = [](Generator<int>& from) -> Task<void> {
          auto n = co_await from.next();
          static_cast<void>(n);
        };
        auto first = loop.start(ask(numbers));
        auto second = loop.start(ask(numbers));
        loop.run_ready();
      },
      "two tasks await next.. of the same Generator");
}

TEST(GeneratorDeathTest, NextOfOneThatWasMovedFromAborts) {
  EXPECT_DEATH(
      {
        auto numbers = count_to(1);
        const Generator<int> moved = std::move(numbers);
        static_cast<void>(numbers.next());
      },
      "next.. of a Generator that was moved from");
}

}  // namespace
}  // namespace wharf::coro
