#include "wharf/coro/semaphore.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

// Takes `count` permits, logs n (-n when stopped), and keeps them until `release` is set.
Task<void> hold(Semaphore& semaphore, std::size_t count, Event& release, std::vector<int>& log, int n) {
  auto permit = co_await semaphore.acquire(count);
  log.push_back(permit ? n : -n);
  if (permit) {
    const bool released = co_await release.wait();
    static_cast<void>(released);
  }
}

TEST(SemaphoreTest, GivesItsPermitsInTheOrderOfAsking) {
  Loop loop;
  Semaphore semaphore(2);
  Event release;
  std::vector<int> log;
  auto a = loop.start(hold(semaphore, 1, release, log, 1));
  auto b = loop.start(hold(semaphore, 1, release, log, 2));
  auto c = loop.start(hold(semaphore, 1, release, log, 3));
  loop.run_ready();
  EXPECT_EQ(log, (std::vector<int>{1, 2}));
  EXPECT_EQ(semaphore.waiting_count(), 1U);

  release.set();
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(semaphore.available_count(), 2U);
}

TEST(SemaphoreTest, ALargeRequestIsNotOvertakenBySmallOnes) {
  Loop loop;
  Semaphore semaphore(3);
  Event release;
  release.set();
  std::vector<int> log;
  auto two = semaphore.try_acquire(2);
  auto large = loop.start(hold(semaphore, 3, release, log, 1));
  auto small = loop.start(hold(semaphore, 1, release, log, 2));
  loop.run_ready();
  EXPECT_EQ(log, std::vector<int>{});
  EXPECT_FALSE(semaphore.try_acquire());

  two.release();
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2}));
}

TEST(SemaphoreTest, NoMoreTasksAreInsideThanItHasPermits) {
  Loop loop;
  Semaphore semaphore(2);
  int inside = 0;
  int most = 0;
  auto enter = [](Semaphore& s, int& now, int& top) -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      auto permit = co_await s.acquire();
      top = std::max(top, ++now);
      co_await yield();
      --now;
    }
  };
  auto a = loop.start(enter(semaphore, inside, most));
  auto b = loop.start(enter(semaphore, inside, most));
  auto c = loop.start(enter(semaphore, inside, most));

  loop.run_ready();

  EXPECT_EQ(most, 2);
  EXPECT_EQ(semaphore.available_count(), 2U);
}

TEST(SemaphoreTest, ReleaseAddsPermitsForAsManyAsWait) {
  Loop loop;
  Semaphore semaphore(0);
  Event release;
  std::vector<int> log;
  auto a = loop.start(hold(semaphore, 1, release, log, 1));
  auto b = loop.start(hold(semaphore, 1, release, log, 2));
  auto c = loop.start(hold(semaphore, 1, release, log, 3));
  loop.run_ready();

  semaphore.release(2);
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2}));
  release.set();
  loop.run_ready();
  EXPECT_TRUE(c.done());
}

TEST(SemaphoreTest, AKeptPermitDoesNotComeBack) {
  Semaphore semaphore(2);
  {
    auto permit = semaphore.try_acquire();
    permit.keep();
    EXPECT_FALSE(permit);
  }

  EXPECT_EQ(semaphore.available_count(), 1U);
}

TEST(SemaphoreTest, AMovedPermitComesBackOnce) {
  Semaphore semaphore(3);
  auto permit = semaphore.try_acquire(2);
  Semaphore::Permit moved = std::move(permit);
  EXPECT_EQ(moved.count(), 2U);
  EXPECT_EQ(semaphore.available_count(), 1U);

  moved = Semaphore::Permit();

  EXPECT_EQ(semaphore.available_count(), 3U);
}

TEST(SemaphoreTest, ALargeRequestStoppedWhileItWaitsLetsTheSmallOnesBehindItGo) {
  Loop loop;
  Loop other;
  Semaphore semaphore(2);
  Event release;
  release.set();
  std::vector<int> log;
  auto one = semaphore.try_acquire();
  auto large = loop.start(hold(semaphore, 2, release, log, 1));
  loop.run_ready();
  auto small = other.start(hold(semaphore, 1, release, log, 2));
  other.run_ready();
  EXPECT_EQ(log, std::vector<int>{});

  loop.stop();
  loop.run_ready();
  other.run_ready();

  EXPECT_EQ(log, (std::vector<int>{-1, 2}));
  EXPECT_EQ(semaphore.available_count(), 1U);
}

}  // namespace
}  // namespace wharf::coro
