#include "wharf/coro/when_any.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/channel.h"
#include "wharf/coro/event.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

// The text when set; "" when stopped. Says so in `log` when it ends.
Task<std::string> waits(Event& event, std::string text, std::vector<std::string>& log) {
  const bool set = co_await event.wait();
  log.push_back(text + (set ? " set" : " stopped"));
  co_return set ? text : std::string();
}

Task<void> waits_void(Event& event) { co_await event.wait(); }

Task<void> throws_at_end(Event& event, std::string what) {
  co_await event.wait();
  throw std::runtime_error(what);
}

TEST(WhenAnyTest, TheFirstToEndWinsAndTheLosersAreStoppedAndJoined) {
  Loop loop;
  Event fast;
  Event never;
  std::vector<std::string> log;
  auto body = [&]() -> Task<void> {
    auto winner = co_await when_any(waits(never, "slow", log), waits(fast, "fast", log));
    log.push_back("winner " + std::to_string(winner.index()) + " " + std::get<1>(winner));
  };
  auto race = loop.start(body());
  loop.run_ready();
  EXPECT_FALSE(race.done());

  fast.set();
  loop.run_ready();

  EXPECT_TRUE(race.done());
  EXPECT_EQ(log, (std::vector<std::string>{"fast set", "slow stopped", "winner 1 fast"}));
}

TEST(WhenAnyTest, OfTwoThatEndInOneTurnTheFirstWins) {
  Loop loop;
  Event event;
  std::vector<std::string> log;
  event.set();
  auto body = [&]() -> Task<std::size_t> {
    auto winner = co_await when_any(waits(event, "a", log), waits(event, "b", log));
    co_return winner.index();
  };

  EXPECT_EQ(loop.run(body()), 0U);
  EXPECT_EQ(log, (std::vector<std::string>{"a set", "b set"}));
}

TEST(WhenAnyTest, AVoidWinnerGivesVoid) {
  Loop loop;
  Event event;
  Event never;
  std::vector<std::string> log;
  event.set();
  auto body = [&]() -> Task<bool> {
    auto winner = co_await when_any(waits_void(event), waits(never, "slow", log));
    co_return std::holds_alternative<Void>(winner);
  };

  EXPECT_TRUE(loop.run(body()));
}

TEST(WhenAnyTest, TwoOfTheSameTypeAreToldApartByIndex) {
  Loop loop;
  Event event;
  Event never;
  event.set();
  auto body = [&]() -> Task<std::size_t> {
    auto winner = co_await when_any(waits_void(never), waits_void(event));
    co_return winner.index();
  };

  EXPECT_EQ(loop.run(body()), 1U);
}

TEST(WhenAnyTest, AnErrorOfTheWinnerIsThrownAfterTheLosersHaveEnded) {
  Loop loop;
  Event event;
  Event never;
  std::vector<std::string> log;
  event.set();
  auto body = [&]() -> Task<void> {
    std::string what;
    try {
      co_await when_any(waits(never, "slow", log), throws_at_end(event, "winner"));
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
    log.push_back(what);
  };

  loop.run(body());

  EXPECT_EQ(log, (std::vector<std::string>{"slow stopped", "winner"}));
}

TEST(WhenAnyTest, AnErrorOfALoserIsThrownToo) {
  Loop loop;
  Event event;
  Event never;
  event.set();
  auto body = [&]() -> Task<void> { co_await when_any(waits_void(event), throws_at_end(never, "loser")); };

  EXPECT_THROW(loop.run(body()), std::runtime_error);
}

TEST(WhenAnyTest, AStopBeforeTheAwaitReachesEveryTask) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  auto body = [&]() -> Task<std::size_t> {
    auto winner = co_await when_any(waits(never, "a", log), waits(never, "b", log));
    co_return winner.index();
  };
  loop.stop();

  EXPECT_EQ(loop.run(body()), 0U);
  EXPECT_EQ(log, (std::vector<std::string>{"a stopped", "b stopped"}));
}

TEST(WhenAnyTest, AStopDuringTheAwaitReachesEveryTaskAndJoinsThem) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  auto body = [&]() -> Task<void> { co_await when_any(waits(never, "a", log), waits(never, "b", log)); };
  auto race = loop.start(body());
  loop.run_ready();

  loop.stop();
  EXPECT_FALSE(race.done());
  loop.run_ready();

  EXPECT_TRUE(race.done());
  EXPECT_EQ(log.size(), 2U);
}

TEST(WhenAnyTest, StoppingTheLosersDoesNotStopWhatIsOutside) {
  Loop loop;
  Event event;
  Event never;
  event.set();
  auto body = [&]() -> Task<bool> {
    co_await when_any(waits_void(event), waits_void(never));
    const StopToken token = co_await stop_token();
    co_return token.stop_requested();
  };

  EXPECT_FALSE(loop.run(body()));
}

TEST(WhenAnyTest, ALosingReceiverThatWasHandedAnItemInTheSameTurnReturnsIt) {
  Loop loop;
  Loop other;
  Event event;
  Channel<int> channel(1);
  std::vector<int> log;
  auto receives = [](Channel<int>& from, std::vector<int>& to) -> Task<void> {
    auto item = co_await from.receive();
    to.push_back(item.value_or(-1));
  };
  auto body = [&]() -> Task<std::size_t> {
    auto winner = co_await when_any(waits_void(event), receives(channel, log));
    co_return winner.index();
  };
  auto sends = [](Channel<int>& to) -> Task<bool> { co_return co_await to.send(8); };
  auto race = loop.start(body());
  loop.run_ready();

  event.set();
  EXPECT_TRUE(other.run(sends(channel)));
  loop.run_ready();

  EXPECT_EQ(race.take(), 0U);
  EXPECT_EQ(log, std::vector<int>{8});
}

TEST(WhenAnyTest, WhatItsTasksHeldIsDestroyedOnce) {
  Loop loop;
  Counted::Counts counts;
  Event event;
  Event never;
  event.set();
  auto holds = [](Event& gate, Counted item) -> Task<Counted> {
    co_await gate.wait();
    co_return item;
  };
  auto body = [&]() -> Task<int> {
    auto winner = co_await when_any(holds(never, Counted(counts, 1)), holds(event, Counted(counts, 2)));
    co_return std::get<1>(winner).value;
  };

  EXPECT_EQ(loop.run(body()), 2);
  EXPECT_EQ(counts.made, 2);
  EXPECT_EQ(counts.destroyed, 2);
}

TEST(WhenAnyTest, OfAVectorGivesTheWinnersPlaceAndValue) {
  Loop loop;
  Event event;
  Event never;
  std::vector<std::string> log;
  auto body = [&]() -> Task<std::string> {
    std::vector<Task<std::string>> tasks;
    for (int i = 0; i < 4; ++i) tasks.push_back(waits(i == 2 ? event : never, std::to_string(i), log));
    AnyOf<std::string> first = co_await when_any(std::move(tasks));
    co_return std::to_string(first.index) + " gave " + first.value;
  };
  auto race = loop.start(body());
  loop.run_ready();

  event.set();
  loop.run_ready();

  EXPECT_EQ(race.take(), "2 gave 2");
  EXPECT_EQ(log.size(), 4U);
}

TEST(WhenAnyTest, AStopReachesEveryTaskOfAVector) {
  Loop loop;
  Event never;
  std::vector<std::string> log;
  auto body = [&]() -> Task<std::string> {
    std::vector<Task<std::string>> tasks;
    tasks.push_back(waits(never, "a", log));
    tasks.push_back(waits(never, "b", log));
    AnyOf<std::string> first = co_await when_any(std::move(tasks));
    co_return first.value;
  };
  auto race = loop.start(body());
  loop.run_ready();

  loop.stop();
  loop.run_ready();

  EXPECT_EQ(race.take(), "");
  EXPECT_EQ(log.size(), 2U);
}

TEST(WhenAnyDeathTest, OfNoTaskAborts) {
  std::vector<Task<int>> none;

  EXPECT_DEATH(static_cast<void>(when_any(std::move(none))), "when_any of no task would never end");
}

TEST(WhenAnyTest, RacesNest) {
  Loop loop;
  Event event;
  Event never;
  auto inner = [&]() -> Task<std::size_t> {
    auto winner = co_await when_any(waits_void(never), waits_void(never));
    co_return winner.index();
  };
  auto body = [&]() -> Task<std::size_t> {
    auto winner = co_await when_any(inner(), waits_void(event));
    co_return winner.index();
  };
  auto race = loop.start(body());
  loop.run_ready();

  event.set();
  loop.run_ready();

  EXPECT_EQ(race.take(), 1U);
}

}  // namespace
}  // namespace wharf::coro
