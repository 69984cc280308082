#include "wharf/coro/when_all.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
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

Task<std::string> name(std::string text) {
  co_await yield();
  co_return text;
}

// 1 once the event is set, -1 when stopped.
Task<int> waits(Event& event) {
  const bool set = co_await event.wait();
  co_return set ? 1 : -1;
}

Task<int> throws_when_set(Event& event, std::string what) {
  co_await event.wait();
  throw std::runtime_error(what);
  co_return 0;
}

TEST(WhenAllTest, GivesEveryResultInItsPlace) {
  Loop loop;
  auto body = []() -> Task<void> {
    auto [n, text, nothing] = co_await when_all(number(3), name("quay"), []() -> Task<void> { co_return; }());
    CO_ASSERT_EQ(n, 3);
    CO_ASSERT_EQ(text, "quay");
    CO_ASSERT_EQ(nothing, Void{});
  };

  loop.run(body());
}

TEST(WhenAllTest, GivesMoveOnlyResultsAndReferences) {
  Loop loop;
  int berth = 4;
  auto make = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  auto same = [](int& n) -> Task<int&> { co_return n; };
  auto body = [&]() -> Task<void> {
    auto [owned, borrowed] = co_await when_all(make(), same(berth));
    CO_ASSERT_EQ(*owned, 5);
    CO_ASSERT_EQ(&borrowed, &berth);
  };

  loop.run(body());
}

TEST(WhenAllTest, GivesTheResultsOfAVectorInOrder) {
  Loop loop;
  auto body = []() -> Task<std::vector<int>> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(number(i));
    co_return co_await when_all(std::move(tasks));
  };

  const std::vector<int> results = loop.run(body());

  ASSERT_EQ(results.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i);
}

TEST(WhenAllTest, OfNothingDoesNotWait) {
  Loop loop;
  auto body = []() -> Task<std::size_t> {
    std::vector<Task<int>> none;
    auto results = co_await when_all(std::move(none));
    const std::tuple<> nothing = co_await when_all();
    static_cast<void>(nothing);
    co_return results.size();
  };

  EXPECT_EQ(loop.run(body()), 0U);
}

TEST(WhenAllTest, RunsItsTasksSideBySideAndWaitsForTheLast) {
  Loop loop;
  Event first;
  Event second;
  auto body = [](Event& a, Event& b) -> Task<int> {
    auto [x, y] = co_await when_all(waits(a), waits(b));
    co_return x + y;
  };
  auto sum = loop.start(body(first, second));
  loop.run_ready();

  second.set();
  loop.run_ready();
  EXPECT_FALSE(sum.done());
  first.set();
  loop.run_ready();

  EXPECT_EQ(sum.take(), 2);
}

TEST(WhenAllTest, FirstErrorStopsTheOthersAndIsThrownWhenAllHaveEnded) {
  Loop loop;
  Event trigger;
  Event never;
  std::vector<std::string> log;
  auto slow_to_stop = [](Event& event, std::vector<std::string>& to) -> Task<void> {
    const bool set = co_await event.wait();
    co_await yield();
    to.emplace_back(set ? "set" : "stopped");
  };
  auto body = [&]() -> Task<void> {
    std::string what;
    try {
      co_await when_all(slow_to_stop(never, log), throws_when_set(trigger, "first"),
                        throws_when_set(trigger, "second"));
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    log.push_back(what);
  };
  auto all = loop.start(body());
  loop.run_ready();

  trigger.set();
  loop.run_ready();

  EXPECT_TRUE(all.done());
  EXPECT_EQ(log, (std::vector<std::string>{"stopped", "first"}));
}

TEST(WhenAllTest, AnErrorInAVectorIsThrownAfterTheOthersWereStopped) {
  Loop loop;
  Event trigger;
  Event never;
  trigger.set();
  auto body = [&]() -> Task<void> {
    std::vector<Task<int>> tasks;
    tasks.push_back(waits(never));
    tasks.push_back(throws_when_set(trigger, "second"));
    co_await when_all(std::move(tasks));
  };

  EXPECT_THROW(loop.run(body()), std::runtime_error);
}

TEST(WhenAllTest, AStopBeforeTheAwaitReachesEveryTask) {
  Loop loop;
  Event never;
  auto body = [](Event& event) -> Task<int> {
    auto [x, y] = co_await when_all(waits(event), waits(event));
    co_return x + y;
  };
  loop.stop();

  EXPECT_EQ(loop.run(body(never)), -2);
}

TEST(WhenAllTest, AStopDuringTheAwaitReachesEveryTaskAndJoinsThem) {
  Loop loop;
  Event never;
  auto body = [](Event& event) -> Task<int> {
    auto [x, y] = co_await when_all(waits(event), waits(event));
    co_return x + y;
  };
  auto sum = loop.start(body(never));
  loop.run_ready();

  loop.stop();
  EXPECT_FALSE(sum.done());
  loop.run_ready();

  EXPECT_EQ(sum.take(), -2);
}

TEST(WhenAllTest, AStopAfterTheLastHasEndedComesTooLate) {
  Loop loop;
  Event event;
  auto body = [](Event& gate) -> Task<int> {
    auto [x, y] = co_await when_all(waits(gate), waits(gate));
    co_return x + y;
  };
  auto sum = loop.start(body(event));
  loop.run_ready();

  event.set();
  loop.stop();
  loop.run_ready();

  EXPECT_EQ(sum.take(), 2);
}

TEST(WhenAllTest, AnErrorInsideDoesNotStopWhatIsOutside) {
  Loop loop;
  auto throws = []() -> Task<void> {
    throw std::runtime_error("inside");
    co_return;
  };
  auto body = [&]() -> Task<bool> {
    try {
      co_await when_all(throws());
    } catch (const std::runtime_error&) {
    }
    const StopToken token = co_await stop_token();
    co_return token.stop_requested();
  };

  EXPECT_FALSE(loop.run(body()));
}

TEST(WhenAllTest, WhatItsTasksHeldIsDestroyedOnce) {
  Loop loop;
  Counted::Counts counts;
  auto holds = [](Counted item) -> Task<Counted> { co_return item; };
  auto body = [&]() -> Task<int> {
    auto [a, b] = co_await when_all(holds(Counted(counts, 1)), holds(Counted(counts, 2)));
    co_return a.value + b.value;
  };

  EXPECT_EQ(loop.run(body()), 3);
  EXPECT_EQ(counts.made, 2);
  EXPECT_EQ(counts.destroyed, 2);
}

TEST(WhenAllTest, OneThatIsNeverAwaitedRunsNothing) {
  bool ran = false;
  auto runs = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };

  {
    auto never = when_all(runs(ran));
  }

  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace wharf::coro
