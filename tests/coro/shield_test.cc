#include "wharf/coro/shield.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

Task<bool> wait(Event& event) { co_return co_await event.wait(); }

Task<bool> wait_shielded(Event& event) { co_return co_await shield(wait(event)); }

TEST(ShieldTest, GivesWhatItsTaskGives) {
  Loop loop;
  int berth = 1;
  auto body = [](int& n) -> Task<int> {
    auto box = co_await shield([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); }());
    int& same = co_await shield([](int& m) -> Task<int&> { co_return m; }(n));
    co_await shield([]() -> Task<void> { co_await yield(); }());
    co_return *box + same;
  };

  EXPECT_EQ(loop.run(body(berth)), 5);
}

TEST(ShieldTest, ThrowsWhatItsTaskThrows) {
  Loop loop;
  auto body = []() -> Task<void> {
    co_await shield([]() -> Task<void> {
      co_await yield();
      throw std::runtime_error("inside");
    }());
  };

  EXPECT_THROW(loop.run(body()), std::runtime_error);
}

TEST(ShieldTest, AStopBeforeTheAwaitDoesNotReachTheTask) {
  Loop loop;
  Event event;
  loop.stop();
  auto waiting = loop.start(wait_shielded(event));
  loop.run_ready();
  EXPECT_FALSE(waiting.done());

  event.set();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(ShieldTest, AStopDuringTheAwaitDoesNotReachTheTask) {
  Loop loop;
  Event event;
  auto waiting = loop.start(wait_shielded(event));
  loop.run_ready();

  loop.stop();
  loop.run_ready();
  EXPECT_FALSE(waiting.done());
  event.set();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(ShieldTest, AfterItTheTaskSeesItsOwnStopAgain) {
  Loop loop;
  Event event;
  Event never;
  event.set();
  auto body = [](Event& now, Event& later) -> Task<bool> {
    const bool first = co_await shield(wait(now));
    const bool second = co_await later.wait();
    co_return first && !second;
  };
  loop.stop();

  EXPECT_TRUE(loop.run(body(event, never)));
}

TEST(ShieldTest, HidesTheDeadlineAsLongAsItsTaskRuns) {
  Loop loop;
  auto look = []() -> Task<std::int64_t> { co_return co_await deadline_ns(); };
  auto child = [&](std::int64_t& inside, std::int64_t& after) -> Task<void> {
    inside = co_await shield(look());
    after = co_await look();
  };
  Scope scope;
  scope.set_deadline_ns(5);
  std::int64_t inside = 0;
  std::int64_t after = 0;

  scope.spawn(child(inside, after));
  loop.run_ready();

  EXPECT_EQ(inside, kNoDeadline);
  EXPECT_EQ(after, 5);
}

TEST(ShieldTest, ProtectsTheChildrenOfAScopeBelow) {
  Loop loop;
  Event event;
  int set_count = 0;
  auto below = [](Event& gate, int& count) -> Task<void> {
    co_await with_scope([&](Scope& scope) -> Task<void> {
      scope.spawn(
          [](Event& own, int& to) -> Task<void> {
            const bool set = co_await own.wait();
            if (set) ++to;
          },
          std::ref(gate), std::ref(count));
      co_await yield();
    });
  };
  auto body = [&]() -> Task<void> { co_await shield(below(event, set_count)); };
  auto shielded = loop.start(body());
  loop.run_ready();

  loop.stop();
  loop.run_ready();
  EXPECT_FALSE(shielded.done());
  event.set();
  loop.run_ready();

  EXPECT_TRUE(shielded.done());
  EXPECT_EQ(set_count, 1);
}

TEST(ShieldTest, WhatItsTaskHeldIsDestroyedOnce) {
  Loop loop;
  Counted::Counts counts;
  auto holds = [](Counted item) -> Task<Counted> {
    co_await yield();
    co_return item;
  };
  auto body = [&]() -> Task<int> {
    const Counted item = co_await shield(holds(Counted(counts, 3)));
    co_return item.value;
  };

  EXPECT_EQ(loop.run(body()), 3);
  EXPECT_EQ(counts.made, 1);
  EXPECT_EQ(counts.destroyed, 1);
}

}  // namespace
}  // namespace wharf::coro
