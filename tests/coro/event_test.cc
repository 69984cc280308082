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

}  // namespace
}  // namespace wharf::coro
