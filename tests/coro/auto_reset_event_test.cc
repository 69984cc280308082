#include "wharf/coro/auto_reset_event.h"

#include <vector>

#include <gtest/gtest.h>

#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

Task<bool> wait(AutoResetEvent& event) { co_return co_await event.wait(); }

Task<void> log_when_set(AutoResetEvent& event, std::vector<int>& log, int n) {
  const bool set = co_await event.wait();
  if (set) log.push_back(n);
}

TEST(AutoResetEventTest, EachSetLetsOneWaiterThroughInTheOrderOfTheirWaits) {
  Loop loop;
  AutoResetEvent event;
  std::vector<int> log;
  auto a = loop.start(log_when_set(event, log, 1));
  auto b = loop.start(log_when_set(event, log, 2));
  loop.run_ready();

  event.set();
  loop.run_ready();
  EXPECT_EQ(log, std::vector<int>{1});
  EXPECT_FALSE(event.is_set());
  event.set();
  loop.run_ready();

  EXPECT_EQ(log, (std::vector<int>{1, 2}));
}

TEST(AutoResetEventTest, ASetWithNobodyWaitingIsRememberedOnce) {
  Loop loop;
  AutoResetEvent event;
  event.set();
  event.set();

  EXPECT_TRUE(loop.run(wait(event)));
  auto second = loop.start(wait(event));
  loop.run_ready();
  EXPECT_FALSE(second.done());

  event.set();
  loop.run_ready();
  EXPECT_TRUE(second.take());
}

TEST(AutoResetEventTest, OneThatIsMadeSetLetsTheFirstThrough) {
  Loop loop;
  AutoResetEvent event(true);

  EXPECT_TRUE(loop.run(wait(event)));
  EXPECT_FALSE(event.is_set());
}

TEST(AutoResetEventTest, TryWaitConsumesWhatWasSetAndNeverWaits) {
  AutoResetEvent event;
  EXPECT_FALSE(event.try_wait());

  event.set();

  EXPECT_TRUE(event.try_wait());
  EXPECT_FALSE(event.try_wait());
}

TEST(AutoResetEventTest, ResetForgetsWhatWasSet) {
  AutoResetEvent event;
  event.set();

  event.reset();

  EXPECT_FALSE(event.try_wait());
}

}  // namespace
}  // namespace wharf::coro
