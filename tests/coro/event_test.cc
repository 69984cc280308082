#include "wharf/coro/event.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

Task<bool> wait(Event& event) { co_return co_await event.wait(); }

Task<void> log_when_set(Event& event, std::vector<int>& log, int n) {
  const bool set = co_await event.wait();
  if (set) log.push_back(n);
}

TEST(EventTest, AWaitEndsWhenItIsSet) {
  Loop loop;
  Event event;
  auto waiting = loop.start(wait(event));
  loop.run_ready();
  EXPECT_FALSE(waiting.done());

  event.set();
  EXPECT_FALSE(waiting.done());
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
  EXPECT_TRUE(event.is_set());
}

TEST(EventTest, ASetEventDoesNotSuspend) {
  Loop loop;
  Event event;
  event.set();
  auto waiting = loop.start(wait(event));

  EXPECT_EQ(loop.run_ready(), 1U);
  EXPECT_TRUE(waiting.take());
}

TEST(EventTest, WaitersGoOnInTheOrderOfTheirWaits) {
  Loop loop;
  Event event;
  std::vector<int> log;
  auto a = loop.start(log_when_set(event, log, 1));
  auto b = loop.start(log_when_set(event, log, 2));
  auto c = loop.start(log_when_set(event, log, 3));
  loop.run_ready();

  event.set();
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
}

TEST(EventTest, AfterResetAWaitWaitsAgain) {
  Loop loop;
  Event event;
  event.set();
  event.reset();
  auto waiting = loop.start(wait(event));
  loop.run_ready();
  EXPECT_FALSE(waiting.done());

  event.set();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(EventTest, ResetInTheTurnOfSetDoesNotTakeTheWakeBack) {
  Loop loop;
  Event event;
  auto waiting = loop.start(wait(event));
  loop.run_ready();

  event.set();
  event.reset();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(EventTest, AWaitStoppedBeforeItStartsReturnsFalse) {
  Loop loop;
  Event event;
  loop.stop();

  EXPECT_FALSE(loop.run(wait(event)));
}

TEST(EventTest, AStoppedWaitThatNeedNotWaitStillSucceeds) {
  Loop loop;
  Event event;
  event.set();
  loop.stop();

  EXPECT_TRUE(loop.run(wait(event)));
}

TEST(EventTest, AWaitStoppedWhileItWaitsReturnsFalseAndLeavesTheOthers) {
  Loop loop;
  Loop other;
  Event event;
  auto stopped = loop.start(wait(event));
  auto waits_on = other.start(wait(event));
  loop.run_ready();
  other.run_ready();

  loop.stop();
  loop.run_ready();
  EXPECT_FALSE(stopped.take());
  EXPECT_FALSE(waits_on.done());

  event.set();
  other.run_ready();
  EXPECT_TRUE(waits_on.take());
}

TEST(EventTest, AStopInTheTurnAfterSetComesTooLate) {
  Loop loop;
  Event event;
  auto waiting = loop.start(wait(event));
  loop.run_ready();

  event.set();
  loop.stop();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(EventTest, ASetInTheTurnAfterAStopWakesOnce) {
  Loop loop;
  Event event;
  auto waiting = loop.start(wait(event));
  loop.run_ready();

  loop.stop();
  event.set();

  EXPECT_EQ(loop.run_ready(), 1U);
  EXPECT_FALSE(waiting.take());
}

TEST(EventTest, MayBeDestroyedOnceItsWaitersWereWoken) {
  Loop loop;
  std::optional<Event> event(std::in_place);
  auto waiting = loop.start(wait(*event));
  loop.run_ready();

  event->set();
  event.reset();
  loop.run_ready();

  EXPECT_TRUE(waiting.take());
}

TEST(EventDeathTest, OneThatIsDestroyedUnderAWaiterAborts) {
  EXPECT_DEATH(
      {
        Loop loop;
        Event event;
        auto waiting = loop.start(wait(event));
        loop.run_ready();
        event.~Event();
      },
      "something that tasks wait for was destroyed: join them first");
}

}  // namespace
}  // namespace wharf::coro
