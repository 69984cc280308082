#include "wharf/coro/mutex.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

// Locks, says so, and holds the lock until `release` is set: n, or -n when stopped.
Task<void> hold(Mutex& mutex, Event& release, std::vector<int>& log, int n) {
  auto lock = co_await mutex.lock();
  log.push_back(lock ? n : -n);
  if (lock) {
    const bool released = co_await release.wait();
    static_cast<void>(released);
  }
}

TEST(MutexTest, OneTaskAtATimeHoldsItInTheOrderOfAsking) {
  Loop loop;
  Mutex mutex;
  Event first;
  Event second;
  Event third;
  std::vector<int> log;
  auto a = loop.start(hold(mutex, first, log, 1));
  auto b = loop.start(hold(mutex, second, log, 2));
  auto c = loop.start(hold(mutex, third, log, 3));
  loop.run_ready();
  EXPECT_EQ(log, std::vector<int>{1});

  first.set();
  loop.run_ready();
  EXPECT_EQ(log, (std::vector<int>{1, 2}));
  second.set();
  third.set();
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(mutex.locked());
}

TEST(MutexTest, NobodyOvertakesTheOneThatItWasHandedTo) {
  Loop loop;
  Mutex mutex;
  Event release;
  std::vector<int> log;
  auto held = mutex.try_lock();
  auto waiting = loop.start(hold(mutex, release, log, 1));
  loop.run_ready();

  held.unlock();

  EXPECT_TRUE(mutex.locked());
  EXPECT_FALSE(mutex.try_lock());
  release.set();
  loop.run_ready();
  EXPECT_TRUE(waiting.done());
}

TEST(MutexTest, TryLockTakesAFreeOneAndIsRefusedALockedOne) {
  Mutex mutex;

  auto lock = mutex.try_lock();

  EXPECT_TRUE(lock);
  EXPECT_FALSE(mutex.try_lock());
  lock.unlock();
  EXPECT_FALSE(lock);
  EXPECT_TRUE(mutex.try_lock());
}

TEST(MutexTest, AMovedLockUnlocksOnce) {
  Mutex mutex;
  auto lock = mutex.try_lock();
  {
    const Mutex::Lock moved = std::move(lock);
    EXPECT_TRUE(moved);
    EXPECT_TRUE(mutex.locked());
  }
  EXPECT_FALSE(mutex.locked());

  auto again = mutex.try_lock();
  again = Mutex::Lock();

  EXPECT_FALSE(mutex.locked());
}

TEST(MutexTest, AnExceptionUnlocksIt) {
  Loop loop;
  Mutex mutex;
  auto throws = [](Mutex& m) -> Task<void> {
    auto lock = co_await m.lock();
    throw std::runtime_error("inside");
  };

  EXPECT_THROW(loop.run(throws(mutex)), std::runtime_error);

  EXPECT_FALSE(mutex.locked());
}

TEST(MutexTest, WhatItGuardsIsSeenWholeAcrossSuspensions) {
  Loop loop;
  Mutex mutex;
  int inside = 0;
  int most = 0;
  int turns = 0;
  auto enter = [](Mutex& m, int& now, int& top, int& all) -> Task<void> {
    for (int i = 0; i < 50; ++i) {
      auto lock = co_await m.lock();
      top = std::max(top, ++now);
      co_await yield();
      --now;
      ++all;
    }
  };
  auto a = loop.start(enter(mutex, inside, most, turns));
  auto b = loop.start(enter(mutex, inside, most, turns));
  auto c = loop.start(enter(mutex, inside, most, turns));

  loop.run_ready();

  EXPECT_EQ(most, 1);
  EXPECT_EQ(turns, 150);
}

TEST(MutexDeathTest, OneThatIsDestroyedWhileItIsLockedAborts) {
  EXPECT_DEATH(
      {
        Mutex mutex;
        auto lock = mutex.try_lock();
        mutex.~Mutex();
      },
      "a Mutex was destroyed while it is locked");
}

}  // namespace
}  // namespace wharf::coro
