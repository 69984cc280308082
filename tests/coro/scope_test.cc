#include "wharf/coro/scope.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/tests/coro/children.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;
using test::throws;
using test::waits;

// What join() of `scope` throws; empty if nothing.
Task<std::string> join_error(Scope& scope) {
  std::string what;
  try {
    co_await scope.join();
  } catch (const std::runtime_error& error) {
    what = error.what();
  }
  co_return what;
}

TEST(ScopeTest, JoinWaitsForEveryChild) {
  Loop loop;
  Event event;
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(waits(event, log, "a"));
  scope.spawn(waits(event, log, "b"));
  auto joined = loop.start(join_error(scope));
  loop.run_ready();
  EXPECT_FALSE(joined.done());
  EXPECT_EQ(scope.live_count(), 2U);

  event.set();
  loop.run_ready();

  EXPECT_TRUE(joined.done());
  EXPECT_EQ(scope.live_count(), 0U);
  EXPECT_EQ(log, (std::vector<std::string>{"a set", "b set"}));
}

TEST(ScopeTest, JoinOfAnEmptyScopeDoesNotWait) {
  Loop loop;
  Scope scope;

  EXPECT_EQ(loop.run(join_error(scope)), "");
}

TEST(ScopeTest, CanBeUsedAgainAfterJoin) {
  Loop loop;
  Event event;
  event.set();
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(waits(event, log, "first"));
  loop.run(join_error(scope));

  scope.spawn(waits(event, log, "second"));
  loop.run(join_error(scope));

  EXPECT_EQ(log, (std::vector<std::string>{"first set", "second set"}));
}

TEST(ScopeTest, AChildMaySpawnSiblings) {
  Loop loop;
  Event event;
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(
      [](Scope& own, Event& gate, std::vector<std::string>& to) -> Task<void> {
        own.spawn(waits(gate, to, "sibling"));
        co_return;
      },
      std::ref(scope), std::ref(event), std::ref(log));
  auto joined = loop.start(join_error(scope));
  loop.run_ready();
  EXPECT_FALSE(joined.done());

  event.set();
  loop.run_ready();

  EXPECT_TRUE(joined.done());
  EXPECT_EQ(log, std::vector<std::string>{"sibling set"});
}

TEST(ScopeTest, SpawnCopiesItsArgumentsIntoTheTask) {
  Loop loop;
  Scope scope;
  std::vector<int> log;
  scope.spawn(
      [](std::unique_ptr<int> n, std::vector<int>& to) -> Task<void> {
        co_await yield();
        to.push_back(*n);
      },
      std::make_unique<int>(9), std::ref(log));

  loop.run(join_error(scope));

  EXPECT_EQ(log, std::vector<int>{9});
}

class Boat {
 public:
  Task<void> sail(int miles) {
    co_await yield();
    miles_ += miles;
  }
  int miles() const { return miles_; }

 private:
  int miles_ = 0;
};

TEST(ScopeTest, SpawnTakesAMemberFunctionAndItsObject) {
  Loop loop;
  Scope scope;
  Boat boat;
  scope.spawn(&Boat::sail, &boat, 12);

  loop.run(join_error(scope));

  EXPECT_EQ(boat.miles(), 12);
}

TEST(ScopeTest, WhatAChildHoldsIsGoneWhenJoinReturns) {
  Loop loop;
  Counted::Counts counts;
  auto body = [](Counted::Counts& all) -> Task<std::int64_t> {
    Scope scope;
    scope.spawn([](Counted) -> Task<void> { co_await yield(); }, Counted(all));
    scope.spawn([](Counted) -> Task<void> { co_return; }, Counted(all));
    co_await scope.join();
    co_return all.live();
  };

  EXPECT_EQ(loop.run(body(counts)), 0);
  EXPECT_EQ(counts.made, 2);
}

TEST(ScopeTest, CancelStopsEveryChildAndJoinStillWaitsForThem) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(waits(never, log, "a"));
  scope.spawn(waits(never, log, "b"));
  auto joined = loop.start(join_error(scope));
  loop.run_ready();

  scope.cancel();

  EXPECT_FALSE(joined.done());
  loop.run_ready();
  EXPECT_TRUE(joined.done());
  EXPECT_EQ(log.size(), 2U);
  EXPECT_EQ(log.front().substr(1), " stopped");
}

TEST(ScopeTest, AChildSpawnedAfterCancelIsStoppedAtOnce) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  Scope scope;
  scope.cancel();

  scope.spawn(waits(never, log, "late"));
  loop.run(join_error(scope));

  EXPECT_EQ(log, std::vector<std::string>{"late stopped"});
}

TEST(ScopeTest, StoppingTheJoinerBeforeItWaitsStopsTheChildren) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(waits(never, log, "a"));
  loop.stop();

  loop.run(join_error(scope));

  EXPECT_EQ(log, std::vector<std::string>{"a stopped"});
}

TEST(ScopeTest, StoppingTheJoinerWhileItWaitsStopsTheChildrenAndJoinsThem) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(waits(never, log, "a"));
  auto joined = loop.start(join_error(scope));
  loop.run_ready();

  loop.stop();
  EXPECT_FALSE(joined.done());
  loop.run_ready();

  EXPECT_TRUE(joined.done());
  EXPECT_EQ(log, std::vector<std::string>{"a stopped"});
}

TEST(ScopeTest, StoppingTheJoinerAfterTheJoinChangesNothing) {
  Loop loop;
  Event event;
  std::vector<std::string> log;
  Scope scope;
  event.set();
  scope.spawn(waits(event, log, "a"));
  loop.run(join_error(scope));

  loop.stop();
  scope.spawn(waits(event, log, "b"));
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<std::string>{"a set", "b set"}));
}

TEST(ScopeTest, FirstErrorStopsTheSiblingsAndIsThrownByJoin) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  Scope scope;
  scope.spawn(waits(never, log, "sibling"));
  scope.spawn(throws("first"));
  scope.spawn(throws("second"));

  EXPECT_EQ(loop.run(join_error(scope)), "first");
  EXPECT_EQ(log, std::vector<std::string>{"sibling stopped"});
}

TEST(ScopeTest, AnErrorIsThrownByOneJoinOnly) {
  Loop loop;
  Scope scope;
  scope.spawn(throws("once"));
  loop.run(join_error(scope));

  EXPECT_EQ(loop.run(join_error(scope)), "");
}

TEST(ScopeTest, TwoHundredThousandShortChildrenLeaveNothingBehind) {
  Loop loop;
  Counted::Counts counts;
  auto body = [](Counted::Counts& all) -> Task<void> {
    Scope scope;
    for (int i = 0; i < 200'000; ++i) {
      scope.spawn([](Counted) -> Task<void> { co_return; }, Counted(all));
      if (i % 64 == 0) co_await yield();
    }
    co_await scope.join();
  };

  loop.run(body(counts));

  EXPECT_EQ(counts.made, 200'000);
  EXPECT_EQ(counts.live(), 0);
}

TEST(ScopeTest, AScopeThatFollowsAContextIsStoppedWithIt) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  auto body = [](Event& event, std::vector<std::string>& to) -> Task<void> {
    const Context& inherited = co_await context();
    Scope scope(inherited);
    scope.spawn(waits(event, to, "child"));
    while (scope.live_count() != 0) co_await yield();
    to.emplace_back("seen");
    co_await scope.join();
  };
  auto running = loop.start(body(never, log));
  loop.executor().run_ready(8);

  loop.stop();
  loop.run_ready();

  EXPECT_TRUE(running.done());
  EXPECT_EQ(log, (std::vector<std::string>{"child stopped", "seen"}));
}

TEST(ScopeTest, ChildrenSeeItsDeadlineOrThatOfTheTaskItFollows) {
  Loop loop;
  std::vector<std::int64_t> seen;
  auto look = [](std::vector<std::int64_t>& to) -> Task<void> {
    const std::int64_t deadline = co_await deadline_ns();
    to.push_back(deadline);
  };
  auto follow = [&](std::vector<std::int64_t>& to) -> Task<void> {
    const Context& inherited = co_await context();
    Scope below(inherited);
    below.spawn(look(to));
    co_await below.join();
  };
  Scope scope;
  scope.spawn(look(seen));
  loop.run_ready();

  scope.set_deadline_ns(7);
  scope.spawn(follow(seen));
  loop.run_ready();

  EXPECT_EQ(seen, (std::vector<std::int64_t>{kNoDeadline, 7}));
}

TEST(ScopeTest, CollectLetsTheSiblingsGoOnAndKeepsEveryError) {
  Loop loop;
  Event event;
  std::vector<std::string> log;
  Scope scope(OnError::kCollect);
  scope.spawn(throws("first"));
  scope.spawn(waits(event, log, "sibling"));
  scope.spawn(throws("second"));
  auto joined = loop.start(join_error(scope));
  loop.run_ready();
  EXPECT_FALSE(joined.done());

  event.set();
  loop.run_ready();
  EXPECT_EQ(joined.take(), "");
  for (const std::exception_ptr& error : scope.take_errors()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error& what) {
      log.emplace_back(what.what());
    }
  }

  EXPECT_EQ(log, (std::vector<std::string>{"sibling set", "first", "second"}));
  EXPECT_TRUE(scope.take_errors().empty());
}

TEST(ScopeDeathTest, OneThatIsDestroyedWithLiveTasksAborts) {
  EXPECT_DEATH(
      {
        Loop loop;
        Event never;
        std::vector<std::string> log;
        Scope scope;
        scope.spawn(waits(never, log, "a"));
      },
      "a Scope was destroyed with live tasks: join.. it, or use with_scope");
}

TEST(ScopeDeathTest, OneThatIsMadeWithoutAnExecutorAborts) {
  EXPECT_DEATH(Scope(), "a Scope was made on a thread that drives no Executor: make it inside a task");
}

TEST(ScopeDeathTest, TwoTasksThatJoinTheSameScopeAbort) {
  EXPECT_DEATH(
      {
        Loop loop;
        Event never;
        std::vector<std::string> log;
        Scope scope;
        scope.spawn(waits(never, log, "a"));
        auto first = loop.start(join_error(scope));
        auto second = loop.start(join_error(scope));
        loop.run_ready();
      },
      "two tasks join the same Scope");
}

}  // namespace
}  // namespace wharf::coro
