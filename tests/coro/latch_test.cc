#include "wharf/coro/latch.h"

#include <gtest/gtest.h>

#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

Task<bool> wait(Latch& latch) { co_return co_await latch.wait(); }
Task<bool> arrive(Latch& latch) { co_return co_await latch.arrive_and_wait(); }

TEST(LatchTest, AWaitEndsWhenTheCountIsZero) {
  Loop loop;
  Latch latch(3);
  auto waiting = loop.start(wait(latch));
  loop.run_ready();

  latch.count_down(2);
  loop.run_ready();
  EXPECT_FALSE(waiting.done());
  EXPECT_EQ(latch.count(), 1U);
  latch.count_down();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(LatchTest, TheLastToArriveLetsEverybodyGoOn) {
  Loop loop;
  Latch latch(3);
  auto a = loop.start(arrive(latch));
  auto b = loop.start(arrive(latch));
  loop.run_ready();
  EXPECT_FALSE(a.done());

  EXPECT_TRUE(loop.run(arrive(latch)));

  EXPECT_TRUE(a.take());
  EXPECT_TRUE(b.take());
}

TEST(LatchTest, AStoppedTaskThatArrivesIsCountedAllTheSame) {
  Loop loop;
  Latch latch(2);
  loop.stop();

  EXPECT_FALSE(loop.run(arrive(latch)));
  EXPECT_EQ(latch.count(), 1U);
}

TEST(LatchDeathTest, CountingBelowZeroAborts) {
  EXPECT_DEATH(
      {
        Latch latch(1);
        latch.count_down(2);
      },
      "a Latch was counted down below zero");
}

}  // namespace
}  // namespace wharf::coro
