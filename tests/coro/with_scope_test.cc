// with_scope, of scope.h.

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/tests/coro/children.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;
using test::throws;
using test::waits;

TEST(WithScopeTest, JoinsWhatItsBodySpawned) {
  Loop loop;
  std::vector<std::string> log;
  auto body = [](std::vector<std::string>& to) -> Task<void> {
    co_await with_scope([&to](Scope& scope) -> Task<void> {
      scope.spawn(
          [](std::vector<std::string>& out) -> Task<void> {
            co_await yield();
            out.emplace_back("child");
          },
          std::ref(to));
      to.emplace_back("body");
      co_return;
    });
    to.emplace_back("after");
  };

  loop.run(body(log));

  EXPECT_EQ(log, (std::vector<std::string>{"body", "child", "after"}));
}

// Spawns a task as it goes.
class SpawnsLast {
 public:
  SpawnsLast(Scope& scope, std::vector<std::string>& log) : scope_(&scope), log_(&log) {}
  SpawnsLast(SpawnsLast&& other) noexcept : scope_(std::exchange(other.scope_, nullptr)), log_(other.log_) {}
  SpawnsLast& operator=(SpawnsLast&&) = delete;
  ~SpawnsLast() {
    if (scope_ != nullptr) scope_->spawn(last, std::ref(*log_));
  }

 private:
  static Task<void> last(std::vector<std::string>& log) {
    co_await yield();
    log.emplace_back("last");
  }
  Scope* scope_;
  std::vector<std::string>* log_;
};

TEST(WithScopeTest, JoinsWhatAParameterOfTheLastChildSpawnedAsItWent) {
  Loop loop;
  std::vector<std::string> log;
  auto scoped = with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn([](SpawnsLast) -> Task<void> { co_return; }, SpawnsLast(scope, log));
    co_return;
  });

  loop.run(std::move(scoped));

  EXPECT_EQ(log, std::vector<std::string>{"last"});
}

TEST(WithScopeTest, AnErrorOfItsBodyStopsTheChildrenAndIsThrown) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  auto scoped = with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(waits(never, log, "child"));
    co_await yield();
    throw std::runtime_error("body");
  });

  EXPECT_THROW(loop.run(std::move(scoped)), std::runtime_error);
  EXPECT_EQ(log, std::vector<std::string>{"child stopped"});
}

TEST(WithScopeTest, AnErrorOfAChildIsThrown) {
  Loop loop;
  auto scoped = with_scope([](Scope& scope) -> Task<void> {
    scope.spawn(throws("child"));
    co_return;
  });

  EXPECT_THROW(loop.run(std::move(scoped)), std::runtime_error);
}

TEST(WithScopeTest, StoppingATaskInsideReachesTheChildren) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  auto scoped = loop.start(with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(waits(never, log, "child"));
    co_await waits(never, log, "body");
  }));
  loop.run_ready();

  loop.stop();
  loop.run_ready();

  EXPECT_TRUE(scoped.done());
  EXPECT_EQ(log, (std::vector<std::string>{"body stopped", "child stopped"}));
}

TEST(WithScopeTest, GivesWhatItsBodyGives) {
  Loop loop;
  int berth = 0;
  auto body = [](int& n) -> Task<int> {
    auto box = co_await with_scope([](Scope&) -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); });
    int& same = co_await with_scope([&n](Scope&) -> Task<int&> { co_return n; });
    co_return *box + (&same == &n ? 1 : 0);
  };

  EXPECT_EQ(loop.run(body(berth)), 5);
}

TEST(WithScopeTest, AStopReachesTheChildrenWhileItsBodyGoesOn) {
  Loop loop;
  Event never;
  Event body_ends;
  std::vector<std::string> log;
  auto scoped = loop.start(with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(waits(never, log, "child"));
    while (!body_ends.is_set()) co_await yield();
    log.emplace_back("body ends");
  }));
  loop.executor().run_ready(8);

  loop.stop();
  loop.executor().run_ready(8);
  body_ends.set();
  loop.run_ready();

  EXPECT_TRUE(scoped.done());
  EXPECT_EQ(log, (std::vector<std::string>{"child stopped", "body ends"}));
}

TEST(WithScopeTest, OneThatCollectsThrowsTheFirstErrorThatItsBodyDidNotTake) {
  Loop loop;
  auto takes = with_scope(
      [](Scope& scope) -> Task<std::size_t> {
        scope.spawn(throws("first"));
        scope.spawn(throws("second"));
        co_await scope.join();
        co_return scope.take_errors().size();
      },
      OnError::kCollect);
  auto leaves = with_scope(
      [](Scope& scope) -> Task<void> {
        scope.spawn(throws("left"));
        co_return;
      },
      OnError::kCollect);

  EXPECT_EQ(loop.run(std::move(takes)), 2U);
  EXPECT_THROW(loop.run(std::move(leaves)), std::runtime_error);
}

}  // namespace
}  // namespace wharf::coro
