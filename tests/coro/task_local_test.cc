#include "wharf/coro/task_local.h"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/coro/generator.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/shield.h"
#include "wharf/coro/when_all.h"
#include "wharf/coro/when_any.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

constinit TaskLocal<std::string> request_id;
constinit TaskLocal<int> depth;

// The id that is in force here, or "none".
Task<std::string> id() {
  const std::string* found = co_await request_id.get();
  co_return found != nullptr ? *found : "none";
}

Task<std::string> id_after_a_wait() {
  co_await yield();
  co_return co_await id();
}

Task<void> log_id(std::vector<std::string>& log) {
  std::string found = co_await id_after_a_wait();
  log.push_back(found);
}

TEST(TaskLocalTest, IsSeenInTheTaskAndInAllThatItAwaits) {
  Loop loop;
  auto body = []() -> Task<std::string> {
    co_return co_await with_local(request_id, std::string("a request, with a long name"), id_after_a_wait());
  };

  EXPECT_EQ(loop.run(body()), "a request, with a long name");
}

TEST(TaskLocalTest, IsNullWhereNobodySetIt) {
  Loop loop;

  EXPECT_EQ(loop.run(id()), "none");
}

TEST(TaskLocalTest, EndsWithTheTaskItWasSetFor) {
  Loop loop;
  auto body = []() -> Task<std::string> {
    std::string inside = co_await with_local(request_id, "a", id());
    std::string after = co_await id();
    co_return inside + " " + after;
  };

  EXPECT_EQ(loop.run(body()), "a none");
}

TEST(TaskLocalTest, TheInnerOneIsSeenAndTheOuterOneAfterIt) {
  Loop loop;
  auto inner = []() -> Task<std::string> {
    std::string own = co_await with_local(request_id, "inner", id());
    std::string outer = co_await id();
    co_return own + " " + outer;
  };
  auto body = [&]() -> Task<std::string> { co_return co_await with_local(request_id, "outer", inner()); };

  EXPECT_EQ(loop.run(body()), "inner outer");
}

TEST(TaskLocalTest, DifferentNamesDoNotHideEachOther) {
  Loop loop;
  auto both = []() -> Task<std::string> {
    const std::string* name = co_await request_id.get();
    const int* number = co_await depth.get();
    co_return *name + std::to_string(*number);
  };
  auto body = [&]() -> Task<std::string> {
    co_return co_await with_local(request_id, "a", with_scope([&](Scope&) -> Task<std::string> {
                                    co_return co_await with_local(depth, 3, both());
                                  }));
  };

  EXPECT_EQ(loop.run(body()), "a3");
}

TEST(TaskLocalTest, PassesThroughCombinatorsAndShields) {
  Loop loop;
  auto inside = []() -> Task<std::string> {
    auto [a, b] = co_await when_all(id(), id_after_a_wait());
    auto first = co_await when_any(id(), id_after_a_wait());
    std::string shielded = co_await shield(id());
    co_return a + b + std::get<0>(first) + shielded;
  };
  auto body = [&]() -> Task<std::string> { co_return co_await with_local(request_id, "x", inside()); };

  EXPECT_EQ(loop.run(body()), "xxxx");
}

TEST(TaskLocalTest, IsInheritedBySpawnedTasksOfAScopeThatFollowsItsTask) {
  Loop loop;
  std::vector<std::string> log;
  auto spawns = [](std::vector<std::string>& to) -> Task<void> {
    co_await with_scope([&](Scope& scope) -> Task<void> {
      scope.spawn(log_id, std::ref(to));
      co_return;
    });
    const Context& inherited = co_await context();
    Scope scope(inherited);
    scope.spawn(log_id, std::ref(to));
    co_await scope.join();
  };
  auto body = [&]() -> Task<void> { co_await with_local(request_id, "spawned", spawns(log)); };

  loop.run(body());

  EXPECT_EQ(log, (std::vector<std::string>{"spawned", "spawned"}));
}

TEST(TaskLocalTest, IsNotSeenInAScopeThatFollowsNobody) {
  Loop loop;
  std::vector<std::string> log;
  Scope scope;
  auto spawns = [](Scope& outer, std::vector<std::string>& to) -> Task<void> {
    outer.spawn(log_id, std::ref(to));
    co_await outer.join();
  };
  auto body = [&]() -> Task<void> { co_await with_local(request_id, "gone", spawns(scope, log)); };

  loop.run(body());

  EXPECT_EQ(log, std::vector<std::string>{"none"});
}

TEST(TaskLocalTest, AGeneratorSeesThatOfWhoeverAwaitsNext) {
  Loop loop;
  auto ids = []() -> Generator<std::string> {
    while (true) {
      std::string found = co_await id();
      co_yield found;
    }
  };
  auto ask = [](Generator<std::string>& from) -> Task<std::string> {
    auto found = co_await from.next();
    co_return *found;
  };
  auto body = [&]() -> Task<std::string> {
    auto all = ids();
    std::string first = co_await with_local(request_id, "a", ask(all));
    std::string second = co_await with_local(request_id, "b", ask(all));
    std::string third = co_await ask(all);
    co_return first + second + third;
  };

  EXPECT_EQ(loop.run(body()), "abnone");
}

// What a plain function sees.
std::string current_id() {
  const std::string* found = request_id.current();
  return found != nullptr ? *found : "none";
}

TEST(TaskLocalTest, APlainFunctionSeesThatOfTheTaskThatCallsIt) {
  Loop loop;
  std::vector<std::string> log;
  auto leaf = [](std::vector<std::string>& to) -> Task<void> {
    to.push_back(current_id());
    co_await yield();
    to.push_back(current_id());
  };
  auto middle = [&]() -> Task<void> {
    co_await with_local(request_id, "inner", leaf(log));
    log.push_back(current_id());
  };
  auto body = [&]() -> Task<void> {
    co_await with_local(request_id, "outer", middle());
    log.push_back(current_id());
  };

  loop.run(body());

  EXPECT_EQ(log, (std::vector<std::string>{"inner", "inner", "outer", "none"}));
}

TEST(TaskLocalTest, APlainFunctionSeesThatOfItsOwnTaskWhenOthersTakeTurns) {
  Loop loop;
  std::vector<std::string> log;
  auto turns = [](std::vector<std::string>& to) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      to.push_back(current_id());
      co_await yield();
    }
  };
  auto named = [&](std::string name) -> Task<void> { co_await with_local(request_id, name, turns(log)); };
  auto body = [&]() -> Task<void> { co_await when_all(named("a"), named("b")); };

  loop.run(body());

  EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "a", "b", "a", "b"}));
}

TEST(TaskLocalTest, APlainFunctionInAGeneratorAndInItsConsumerSeesTheRightOne) {
  Loop loop;
  auto ids = []() -> Generator<std::string> {
    while (true) {
      std::string found = current_id();
      co_yield found;
    }
  };
  auto ask = [](Generator<std::string>& from) -> Task<std::string> {
    auto found = co_await from.next();
    co_return *found + current_id();
  };
  auto body = [&]() -> Task<std::string> {
    auto all = ids();
    std::string below = co_await with_local(request_id, "a", ask(all));
    std::string here = co_await ask(all);
    co_return below + here;
  };

  EXPECT_EQ(loop.run(body()), "aanonenone");
}

TEST(TaskLocalTest, OutsideTasksAPlainFunctionSeesNothing) {
  EXPECT_EQ(current_id(), "none");
  Loop loop;
  EXPECT_EQ(current_id(), "none");

  struct Asks {
    ~Asks() { seen = current_id(); }
    std::string& seen;
  };
  std::string seen;
  Scope scope;
  auto child = [](std::string& to) -> Task<void> {
    const Asks asks{to};
    co_await yield();
  };
  auto body = [&]() -> Task<void> {
    scope.spawn(child(seen));
    co_await scope.join();
  };
  auto named = [&]() -> Task<void> { co_await with_local(request_id, "outer", body()); };
  loop.run(named());

  EXPECT_EQ(seen, "none");
}

TEST(TaskLocalTest, AStopReachesTheTaskBelow) {
  Loop loop;
  Event never;
  auto waits = [](Event& event) -> Task<bool> { co_return co_await event.wait(); };
  auto body = [&]() -> Task<bool> { co_return co_await with_local(depth, 1, waits(never)); };
  auto waiting = loop.start(body());
  loop.run_ready();
  EXPECT_FALSE(waiting.done());

  loop.stop();
  loop.run_ready();

  EXPECT_FALSE(waiting.take());
}

TEST(TaskLocalTest, AnExceptionPassesAndTheValueGoesOnce) {
  Loop loop;
  Counted::Counts counts;
  TaskLocal<Counted> item;
  auto throws = [](TaskLocal<Counted>& name) -> Task<void> {
    const Counted* found = co_await name.get();
    throw std::runtime_error(std::to_string(found->value));
  };
  auto body = [&]() -> Task<std::string> {
    try {
      co_await with_local(item, Counted(counts, 7), throws(item));
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "nothing was thrown";
  };

  EXPECT_EQ(loop.run(body()), "7");
  EXPECT_EQ(counts.made, 1);
  EXPECT_EQ(counts.destroyed, 1);
}

}  // namespace
}  // namespace wharf::coro
