#include "wharf/coro/co_invoke.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

TEST(CoInvokeTest, KeepsTheCapturesOfALambdaUntilItsTaskHasEnded) {
  Loop loop;
  Counted::Counts counts;
  std::vector<int> log;
  Scope scope;
  auto join = [](Scope& all) -> Task<void> { co_await all.join(); };
  scope.spawn(co_invoke([item = Counted(counts, 6), &log]() -> Task<void> {
    co_await yield();
    log.push_back(item.value);
  }));

  loop.run(join(scope));

  EXPECT_EQ(log, std::vector<int>{6});
  EXPECT_EQ(counts.made, 1);
  EXPECT_EQ(counts.destroyed, 1);
}

TEST(CoInvokeTest, KeepsItsArguments) {
  Loop loop;
  auto joined = [](const std::string& a, std::string b) -> Task<std::string> {
    co_await yield();
    co_return a + b;
  };

  auto kept = co_invoke(joined, std::string("a long text, on the heap, "), std::string("and another one"));

  EXPECT_EQ(loop.run(std::move(kept)), "a long text, on the heap, and another one");
}

TEST(CoInvokeTest, CallsNothingUntilItIsAwaited) {
  bool called = false;
  {
    auto never = co_invoke([&called]() -> Task<void> {
      called = true;
      co_return;
    });
  }

  EXPECT_FALSE(called);
}

TEST(CoInvokeTest, AnExceptionOfTheCallItselfIsTheTasks) {
  Loop loop;
  auto throws = []() -> Task<void> { throw std::runtime_error("before any task was made"); };
  auto plain = [&throws](bool now) -> Task<void> {
    if (now) throw std::runtime_error("now");
    return throws();
  };

  EXPECT_THROW(loop.run(co_invoke(plain, true)), std::runtime_error);
}

TEST(CoInvokeTest, AStopReachesTheTask) {
  Loop loop;
  Event never;
  loop.stop();

  EXPECT_FALSE(loop.run(co_invoke([&never]() -> Task<bool> { co_return co_await never.wait(); })));
}

}  // namespace
}  // namespace wharf::coro
