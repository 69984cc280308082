#include "wharf/coro/sync_wait.h"

#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/channel.h"
#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"

namespace wharf::coro {
namespace {

Task<int> number(int n) {
  co_await yield();
  co_return n;
}

TEST(SyncWaitTest, GivesWhatTheTaskGives) {
  int berth = 2;
  auto nothing = []() -> Task<void> { co_return; };
  auto same = [](int& n) -> Task<int&> { co_return n; };
  auto box = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };

  sync_wait(nothing());

  EXPECT_EQ(sync_wait(number(1)), 1);
  EXPECT_EQ(&sync_wait(same(berth)), &berth);
  EXPECT_EQ(*sync_wait(box()), 3);
}

TEST(SyncWaitTest, ThrowsWhatTheTaskThrows) {
  auto throws = []() -> Task<int> {
    co_await yield();
    throw std::runtime_error("adrift");
  };

  EXPECT_THROW(sync_wait(throws()), std::runtime_error);
}

TEST(SyncWaitTest, RunsScopesChannelsAndCombinators) {
  auto sends = [](Channel<int>& to) -> Task<void> {
    for (int i = 1; i <= 10; ++i) {
      const bool sent = co_await to.send(i);
      static_cast<void>(sent);
    }
    to.close();
  };
  auto sums = [](Channel<int>& from) -> Task<int> {
    int sum = 0;
    while (auto n = co_await from.receive()) sum += *n;
    co_return sum;
  };
  auto body = [&]() -> Task<int> {
    Channel<int> channel(2);
    auto [nothing, sum] = co_await when_all(sends(channel), sums(channel));
    static_cast<void>(nothing);
    co_return sum;
  };

  EXPECT_EQ(sync_wait(body()), 55);
}

TEST(SyncWaitTest, NestsInATask) {
  auto outer = []() -> Task<int> {
    co_await yield();
    const int inner = sync_wait(number(5));
    co_return inner + 1;
  };

  EXPECT_EQ(sync_wait(outer()), 6);
  EXPECT_EQ(Executor::current(), nullptr);
}

TEST(SyncWaitTest, EachThreadRunsItsOwn) {
  int result = 0;
  std::thread other([&result] { result = sync_wait(number(8)); });

  EXPECT_EQ(sync_wait(number(7)), 7);

  other.join();
  EXPECT_EQ(result, 8);
}

TEST(SyncWaitDeathTest, ATaskThatNobodyCanWakeAborts) {
  EXPECT_DEATH(
      {
        Event never;
        auto waits = [](Event& event) -> Task<void> { co_await event.wait(); };
        sync_wait(waits(never));
      },
      "sync_wait: the task waits for what no task here brings about");
}

}  // namespace
}  // namespace wharf::coro
