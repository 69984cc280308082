#include "wharf/runtime/signals.h"

#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;

using Signals = std::unique_ptr<SignalSet>;

Signals make_signals() {
  StatusOr<Signals> signals = SignalSet::create({SIGUSR1, SIGUSR2});
  EXPECT_TRUE(signals.ok()) << signals.status();
  return *std::move(signals);
}

bool is_blocked(int signal) {
  sigset_t mask;
  EXPECT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
  return ::sigismember(&mask, signal) == 1;
}

TEST(SignalSetTest, ASignalThatCameBeforeIsGiven) {
  Harness harness;
  const Signals signals = make_signals();
  ::kill(::getpid(), SIGUSR1);

  EXPECT_EQ(*harness.run(signals->next()), SIGUSR1);
}

Task<void> signal_a_waiter(SignalSet& signals, std::optional<StatusOr<int>>& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(test::keep_result(signals.next(), result));
    co_await test::next_turn();
    ::kill(::getpid(), SIGUSR2);
    co_await scope.join();
  });
}

TEST(SignalSetTest, ASignalWakesWhoWaits) {
  Harness harness;
  const Signals signals = make_signals();
  std::optional<StatusOr<int>> result;
  harness.run(signal_a_waiter(*signals, result));

  EXPECT_EQ(**result, SIGUSR2);
}

TEST(SignalSetTest, AStopTakesNoSignal) {
  Harness harness;
  const Signals signals = make_signals();
  EXPECT_EQ(harness.run(test::stopped(signals->next())).status().code(), StatusCode::kCancelled);

  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(*harness.run(signals->next()), SIGUSR1);
}

TEST(SignalSetTest, ADeadlineTakesNoSignal) {
  Harness harness;
  const Signals signals = make_signals();
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;
  EXPECT_EQ(harness.run(signals->next({.deadline_ns = deadline})).status().code(), StatusCode::kDeadlineExceeded);

  ::kill(::getpid(), SIGUSR1);
  EXPECT_EQ(*harness.run(signals->next()), SIGUSR1);
}

TEST(SignalSetTest, TheMaskIsRestored) {
  EXPECT_FALSE(is_blocked(SIGUSR1));
  {
    const Signals signals = make_signals();
    EXPECT_TRUE(is_blocked(SIGUSR1));
  }
  EXPECT_FALSE(is_blocked(SIGUSR1));
}

TEST(SignalSetTest, TheEndOfOneLeavesTheSignalsOfAnotherBlocked) {
  Signals first = *SignalSet::create({SIGUSR1});
  const Signals second = *SignalSet::create({SIGUSR1, SIGUSR2});
  first.reset();
  EXPECT_FALSE(is_blocked(SIGUSR1));
  EXPECT_TRUE(is_blocked(SIGUSR2));
  first = *SignalSet::create({SIGUSR2});
  first.reset();

  EXPECT_TRUE(is_blocked(SIGUSR2));
}

TEST(SignalSetTest, WhatCannotBeAwaitedIsRefused) {
  for (const int signal : {SIGKILL, SIGSTOP, 0, 1000}) {
    EXPECT_EQ(SignalSet::create({signal}).status().code(), StatusCode::kInvalidArgument) << signal;
  }
}

TEST(SignalSetTest, AFailureOnTheWayLeavesMaskAndDescriptorsAsTheyWere) {
  const std::size_t before = test::open_fd_count();
  for (std::uint64_t k = 1; k <= 2; ++k) {
    const sys::FailureInjection failure(k, ENOMEM);
    EXPECT_FALSE(SignalSet::create({SIGUSR1}).ok());
    EXPECT_TRUE(failure.fired());
  }

  EXPECT_FALSE(is_blocked(SIGUSR1));
  EXPECT_EQ(test::open_fd_count(), before);
}

}  // namespace
}  // namespace wharf::runtime
