#include "wharf/runtime/reactor.h"

#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::Harness;
using test::SocketPair;

Task<int> give(int value) { co_return value; }

TEST(ReactorTest, RunGivesWhatMainGave) {
  Harness harness;

  EXPECT_EQ(harness.run(give(7)), 7);
  EXPECT_EQ(harness.run(give(8)), 8);
}

Task<std::unique_ptr<int>> give_unique() { co_return std::make_unique<int>(3); }

TEST(ReactorTest, AResultMayBeMoveOnly) {
  Harness harness;

  EXPECT_EQ(*harness.run(give_unique()), 3);
}

Task<void> fail() {
  co_await coro::yield();
  throw std::runtime_error("main");
}

TEST(ReactorTest, AnExceptionOfMainIsThrown) {
  Harness harness;

  EXPECT_THROW(harness.run(fail()), std::runtime_error);
  EXPECT_EQ(harness.run(give(1)), 1);
}

Task<const void*> find_current() { co_return &Reactor::current(); }

TEST(ReactorTest, CurrentIsTheOneThatRuns) {
  Harness harness;

  EXPECT_EQ(harness.run(find_current()), &harness.reactor());
}

Task<bool> stop_and_sleep() {
  Reactor::current().request_stop();
  const bool elapsed = co_await sleep_for(std::chrono::hours(1));
  co_return elapsed;
}

TEST(ReactorTest, RequestStopCancelsMainForGood) {
  Harness harness;

  EXPECT_FALSE(harness.run(stop_and_sleep()));
  EXPECT_FALSE(harness.run(stop_and_sleep()));
}

Task<void> yield_often(int count, std::uint64_t& turns) {
  Reactor& reactor = Reactor::current();
  const std::uint64_t before = reactor.counters().turns;
  for (int i = 0; i < count; ++i) co_await coro::yield();
  turns = reactor.counters().turns - before;
}

TEST(ReactorTest, ATurnEndsWhenItsBudgetIsSpent) {
  Harness harness({.turn_budget_frames = 10});
  std::uint64_t turns = 0;
  harness.run(yield_often(1000, turns));

  EXPECT_GE(turns, 99U);
  EXPECT_LE(turns, 101U);
}

Task<void> recv_once(int fd, int& received) {
  std::byte buffer[16];
  StatusOr<std::size_t> count = co_await recv(fd, buffer);
  if (count.ok()) received += static_cast<int>(*count);
}

Task<void> converse(int pairs_count, std::uint64_t& enters, std::uint64_t& turns) {
  Reactor& reactor = Reactor::current();
  std::vector<SocketPair> pairs(static_cast<std::size_t>(pairs_count));
  int received = 0;
  co_await coro::with_scope([&](coro::Scope& scope) -> Task<void> {
    for (SocketPair& pair : pairs) scope.spawn(recv_once(pair.left.get(), received));
    co_await test::next_turn();
    const ReactorCounters before = reactor.counters();
    for (SocketPair& pair : pairs) EXPECT_EQ(::write(pair.right.get(), "x", 1), 1);
    co_await scope.join();
    enters = reactor.counters().enters - before.enters;
    turns = reactor.counters().turns - before.turns;
  });
  EXPECT_EQ(received, pairs_count);
}

TEST(ReactorTest, HoweverManyPeersThereIsOneEnterPerTurnAtMost) {
  Harness harness;
  std::uint64_t enters = 0;
  std::uint64_t turns = 0;
  harness.run(converse(100, enters, turns));

  EXPECT_LE(enters, turns);
  EXPECT_LE(enters, 10U);  // of a hundred peers: 2, as a rule
}

Task<void> run_hot(int turn_count, std::uint64_t& calls) {
  Reactor& reactor = Reactor::current();
  co_await test::next_turn();
  const std::uint64_t before = sys::counters().total;
  const std::uint64_t end = reactor.counters().turns + static_cast<std::uint64_t>(turn_count);
  while (reactor.counters().turns < end) co_await coro::yield();
  calls = sys::counters().total - before;
}

TEST(ReactorTest, ATurnWithoutTheKernelMakesNoSystemCall) {
  Harness harness({.turn_budget_frames = 4});
  std::uint64_t calls = 1;
  harness.run(run_hot(1000, calls));

  EXPECT_EQ(calls, 0U);
}

Task<void> wait_for(coro::Event& event) {
  const bool set = co_await event.wait();
  EXPECT_TRUE(set);
}

TEST(ReactorTest, APostFromAnotherThreadWakesASleeper) {
  Harness harness;
  coro::Event event;
  std::thread poster([&] { harness.reactor().post([&] { event.set(); }); });
  harness.run(wait_for(event));
  poster.join();

  EXPECT_EQ(harness.reactor().counters().posted, 1U);
}

TEST(ReactorTest, ASleepThatAPostEndsIsAWake) {
  auto backend = std::make_unique<test::FakeBackend>();
  test::FakeBackend& kernel = *backend;
  const auto reactor = Reactor::create_on(std::move(backend));
  coro::Event event;
  kernel.on_sleep = [&](std::int64_t) { reactor->post([&] { event.set(); }); };

  reactor->run(wait_for(event));

  EXPECT_EQ(reactor->counters().sleeps, 1U);
  EXPECT_EQ(reactor->counters().wakes, 1U);
}

TEST(ReactorTest, ASleepThatATimerEndsIsNoWake) {
  auto backend = std::make_unique<test::FakeBackend>();
  test::FakeBackend& kernel = *backend;
  kernel.on_sleep = [&](std::int64_t deadline_ns) { kernel.clock_ns = deadline_ns; };
  const auto reactor = Reactor::create_on(std::move(backend));
  auto main = []() -> Task<void> { static_cast<void>(co_await sleep_for(std::chrono::seconds(5))); };

  reactor->run(main());

  EXPECT_EQ(reactor->counters().sleeps, 1U);
  EXPECT_EQ(reactor->counters().wakes, 0U);
}

TEST(ReactorTest, ResumedCoroutinesAreCounted) {
  Harness harness;
  auto main = []() -> Task<void> {
    for (int i = 0; i < 9; ++i) co_await coro::yield();
  };

  harness.run(main());

  EXPECT_EQ(harness.reactor().counters().resumed, 10U);
}

Task<void> count_posts(int count, const int& arrived, coro::Event& all) {
  if (arrived < count) {
    const bool set = co_await all.wait();
    EXPECT_TRUE(set);
  }
  EXPECT_EQ(arrived, count);
}

TEST(ReactorTest, PostsFromSeveralThreadsAllArriveInTheirOrder) {
  constexpr int kThreads = 3;
  constexpr int kPostsEach = 2000;
  Harness harness;
  coro::Event all;
  int arrived = 0;
  int last[kThreads] = {-1, -1, -1};
  std::vector<std::thread> posters;
  posters.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    posters.emplace_back([&, thread] {
      for (int i = 0; i < kPostsEach; ++i) {
        harness.reactor().post([&, thread, i] {
          EXPECT_EQ(last[thread], i - 1);
          last[thread] = i;
          if (++arrived == kThreads * kPostsEach) all.set();
        });
      }
    });
  }
  harness.run(count_posts(kThreads * kPostsEach, arrived, all));
  for (std::thread& poster : posters) poster.join();

  EXPECT_EQ(harness.reactor().counters().posted, static_cast<std::uint64_t>(kThreads * kPostsEach));
}

struct Dropper final : Posted {
  explicit Dropper(bool& flag) : dropped(flag) {}
  void run() noexcept override { delete this; }
  void drop() noexcept override {
    dropped = true;
    delete this;
  }
  bool& dropped;
};

TEST(ReactorTest, WhatWasPostedTooLateIsDropped) {
  bool dropped = false;
  {
    Harness harness;
    harness.run(give(1));
    harness.reactor().post(*new Dropper(dropped));
    harness.reactor().post([&] { ADD_FAILURE() << "ran after the last run()"; });
  }

  EXPECT_TRUE(dropped);
}

TEST(ReactorTest, ALongTurnIsMeasuredAndSleepingIsNoTurn) {
  auto backend = std::make_unique<test::FakeBackend>();
  test::FakeBackend& kernel = *backend;
  kernel.on_sleep = [&](std::int64_t deadline_ns) { kernel.clock_ns = deadline_ns; };
  const auto reactor = Reactor::create_on(std::move(backend));
  auto main = [](test::FakeBackend& clock) -> Task<void> {
    co_await sleep_for(std::chrono::seconds(5));
    clock.clock_ns += 3'000'000;
    co_await sleep_for(std::chrono::seconds(5));
  };
  reactor->run(main(kernel));

  EXPECT_EQ(reactor->counters().longest_turn_ns, 3'000'000);
}

TEST(ReactorTest, ABudgetOfNothingIsRefused) {
  EXPECT_EQ(Reactor::create({.turn_budget_frames = 0}).status().code(), StatusCode::kInvalidArgument);
}

Task<int> run_inside(Harness& harness) { co_return harness.run(give(1)); }

TEST(ReactorDeathTest, RunningItInsideItselfAborts) {
  EXPECT_DEATH(
      {
        Harness harness;
        harness.run(run_inside(harness));
      },
      "Reactor::run was called from inside itself");
}

TEST(ReactorDeathTest, AnotherThreadThanItsOwnAborts) {
  EXPECT_DEATH(
      {
        Harness harness;
        std::thread([&] { harness.run(give(1)); }).join();
      },
      "on another thread");
}

TEST(ReactorDeathTest, CurrentWithoutARunAborts) { EXPECT_DEATH(Reactor::current(), "this needs a Reactor"); }

}  // namespace
}  // namespace wharf::runtime
