#include "wharf/runtime/poller.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/fake_poller.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::FakePoller;
using PollerTest = test::PollerTest;

TEST_F(PollerTest, AColdPollerIsNeverLookedAt) {
  run_until_sleep();

  EXPECT_EQ(one_.polls, 0);
  EXPECT_EQ(reactor_->counters().spins, 0U);
}

TEST_F(PollerTest, APollerThatFindsWorkWhileItAnnouncesTheSleepKeepsTheReactorAwake) {
  one_.spins = Poller::Spinning::kUseless;
  one_.on_sleep = [this] { return one_.sleeps != 1; };
  one_.on_poll = [this] { return one_.polls == 2; };
  reactor_->make_hot(one_);
  run_until_sleep();

  EXPECT_EQ(one_.sleeps, 2);
  EXPECT_EQ(one_.polls, 3);  // stayed hot after the first
  EXPECT_EQ(reactor_->counters().sleeps, 1U);
}

TEST_F(PollerTest, AllMustAgreeAndTheSleepersAreColdByThen) {
  one_.spins = two_.spins = Poller::Spinning::kUseless;
  two_.on_sleep = [this] { return two_.sleeps != 1; };
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run_until_sleep();

  EXPECT_EQ(one_.sleeps, 1);
  EXPECT_EQ(one_.polls, 1);  // its doorbell would ring
  EXPECT_EQ(two_.sleeps, 2);
  EXPECT_EQ(two_.polls, 2);
}

TEST_F(PollerTest, AWakeForAnotherReasonLeavesColdPollersCold) {
  one_.spins = Poller::Spinning::kUseless;
  reactor_->make_hot(one_);
  int sleeps = 0;
  kernel_->on_sleep = [&](std::int64_t) {
    if (++sleeps == 5) end_.set();
  };
  run();

  EXPECT_EQ(one_.polls, 1);
  EXPECT_EQ(one_.sleeps, 1);
}

TEST_F(PollerTest, ADoorbellMakesItHotAgain) {
  one_.spins = Poller::Spinning::kUseless;
  one_.on_poll = [this] {
    if (one_.polls != 2) return false;
    end_.set();
    return true;
  };
  reactor_->make_hot(one_);
  kernel_->on_sleep = [this](std::int64_t) { reactor_->make_hot(one_); };
  run();

  EXPECT_EQ(one_.polls, 2);
}

TEST_F(PollerTest, WhatPrepareSleepWantsFlushedIsFlushedBeforeTheSleep) {
  one_.spins = Poller::Spinning::kUseless;
  one_.on_sleep = [this] {
    reactor_->flush_later(one_);
    return true;
  };
  reactor_->make_hot(one_);
  int flushes_at_sleep = 0;
  kernel_->on_sleep = [&](std::int64_t) {
    flushes_at_sleep = one_.flushes;
    end_.set();
  };
  run();

  EXPECT_EQ(flushes_at_sleep, 1);
}

TEST_F(PollerTest, ReadyWorkFromAFlushPreventsTheSleep) {
  one_.spins = Poller::Spinning::kUseless;
  one_.on_sleep = [this] {
    reactor_->flush_later(one_);
    return true;
  };
  one_.on_flush = [this] { end_.set(); };
  reactor_->make_hot(one_);
  run();

  EXPECT_EQ(reactor_->counters().sleeps, 0U);
}

TEST_F(PollerTest, AFlushHappensOnceHoweverOftenItWasAskedFor) {
  reactor_->flush_later(one_);
  reactor_->flush_later(one_);
  run_until_sleep();

  EXPECT_EQ(one_.flushes, 1);
  EXPECT_EQ(one_.polls, 0);
}

TEST_F(PollerTest, AFlushThatIsPutOffKeepsTheReactorAwake) {
  one_.on_flush = [this] {
    if (one_.flushes < 3) reactor_->flush_later(one_);
  };
  reactor_->flush_later(one_);
  run_until_sleep();

  EXPECT_EQ(one_.flushes, 3);
  EXPECT_EQ(reactor_->counters().sleeps, 1U);
}

TEST_F(PollerTest, PollersMayRemoveThemselvesAndOthersFromInsidePoll) {
  for (FakePoller* poller : {&one_, &two_, &three_}) poller->spins = Poller::Spinning::kUseless;
  one_.on_poll = [this] {
    reactor_->remove(one_);
    reactor_->remove(two_);  // the next in line
    return false;
  };
  for (FakePoller* poller : {&one_, &two_, &three_}) reactor_->make_hot(*poller);
  run_until_sleep();

  EXPECT_EQ(one_.polls, 1);
  EXPECT_EQ(two_.polls, 0);
  EXPECT_EQ(three_.polls, 1);
  EXPECT_EQ(one_.sleeps + two_.sleeps, 0);
  EXPECT_EQ(three_.sleeps, 1);
}

TEST_F(PollerTest, OneThatComesAndGoesInsidePollIsPolledOnceARound) {
  one_.spins = two_.spins = Poller::Spinning::kUseless;
  one_.on_poll = [this] {
    reactor_->make_cold(one_);
    reactor_->make_hot(one_);
    reactor_->make_hot(two_);
    if (one_.polls == 3) end_.set();
    return true;
  };
  reactor_->make_hot(one_);
  run();

  EXPECT_EQ(one_.polls, 3);
  EXPECT_EQ(two_.polls, 2);
}

TEST_F(PollerTest, PrepareSleepMayRemoveThePoller) {
  one_.spins = two_.spins = Poller::Spinning::kUseless;
  one_.on_sleep = [this] {
    reactor_->remove(one_);
    return true;
  };
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run_until_sleep();

  EXPECT_EQ(two_.sleeps, 1);
}

TEST_F(PollerTest, FlushMayRemoveOthersThatAreDueToBeFlushed) {
  one_.on_flush = [this] { reactor_->remove(two_); };
  reactor_->flush_later(one_);
  reactor_->flush_later(two_);
  run_until_sleep();

  EXPECT_EQ(two_.flushes, 0);
}

// One poller always has work, so that the reactor never rests; the other had some once.
TEST_F(PollerTest, OneThatBringsNothingBecomesColdThoughAnotherIsBusy) {
  one_.on_poll = [this] {
    if (one_.polls == 2000) end_.set();
    return true;
  };
  two_.on_poll = [this] { return two_.polls == 1; };
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run();

  EXPECT_EQ(two_.sleeps, 1);
  EXPECT_LT(two_.polls, 300);
  EXPECT_EQ(one_.sleeps, 0);
  EXPECT_EQ(reactor_->counters().pollers_aged, 1U);
}

TEST_F(PollerTest, OneThatBringsSomethingNowAndThenStaysHot) {
  one_.on_poll = [this] {
    if (one_.polls == 2000) end_.set();
    return true;
  };
  two_.on_poll = [this] { return two_.polls % 200 == 0; };
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run();

  EXPECT_EQ(two_.sleeps, 0);
  EXPECT_GE(two_.polls, 1999);
}

TEST_F(PollerTest, OneThatFindsWorkWhenItIsToBecomeColdStaysHot) {
  one_.on_poll = [this] {
    if (one_.polls == 700) end_.set();
    return true;
  };
  two_.on_sleep = [] { return false; };
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run();

  EXPECT_EQ(two_.sleeps, 2);
  EXPECT_GE(two_.polls, 699);
  EXPECT_EQ(reactor_->counters().pollers_aged, 0U);
}

TEST_F(PollerTest, WhoSpinsAlwaysPollsThemAllAlways) {
  make({.spin_ns = kSpinAlways});
  one_.on_poll = [this] {
    if (one_.polls == 1000) end_.set();
    return true;
  };
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run();

  EXPECT_GE(two_.polls, 999);
}

// Each time it sleeps for long before the doorbell rings: then spinning is a waste.
TEST_F(PollerTest, TheSleepLastsUntilTheFirstTimerAtMost) {
  auto main = []() -> Task<void> { co_await sleep_until(5'000'000); };
  kernel_->on_sleep = [this](std::int64_t deadline_ns) { kernel_->clock_ns = deadline_ns; };
  reactor_->run(main());

  EXPECT_EQ(kernel_->deadlines, (std::vector<std::int64_t>{5'000'000}));
}

using PollerDeathTest = PollerTest;

TEST_F(PollerDeathTest, OneThatDiesWhileItIsHotAborts) {
  EXPECT_DEATH(
      {
        auto poller = std::make_unique<FakePoller>();
        reactor_->make_hot(*poller);
        poller.reset();
      },
      "that a list still holds");
}

}  // namespace
}  // namespace wharf::runtime
