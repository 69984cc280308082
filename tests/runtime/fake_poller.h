// What tests of pollers share: FakePoller, whose answers the test decides, and PollerTest, a reactor on a
// kernel that the test plays.
//
// Threads: the test's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/runtime/poller.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/fake_backend.h"

namespace wharf::test {

inline constexpr std::int64_t kSpinNs = 50'000;

// Counts what the reactor asks of it; what it answers is the test's to say.
class FakePoller final : public runtime::Poller {
 public:
  bool poll() noexcept override {
    ++polls;
    return on_poll && on_poll();
  }
  bool glance() const noexcept override { return !on_glance || on_glance(); }
  bool prepare_sleep() noexcept override {
    ++sleeps;
    return !on_sleep || on_sleep();
  }
  void flush() noexcept override {
    ++flushes;
    if (on_flush) on_flush();
  }
  Spinning spinning() const noexcept override { return spins; }

  std::function<bool()> on_poll;
  std::function<bool()> on_glance;
  std::function<bool()> on_sleep;
  std::function<void()> on_flush;
  Spinning spins = Spinning::kUseful;
  int polls = 0;
  int sleeps = 0;
  int flushes = 0;
};

// A reactor on a kernel that the test plays: each look at the clock takes 1 µs, so 50 µs of spinning
// are about 50 looks. main() ends when `end_` is set.
class PollerTest : public ::testing::Test {
 protected:
  void SetUp() override { make({.spin_ns = kSpinNs}); }
  void TearDown() override {
    for (FakePoller* poller : {&one_, &two_, &three_}) reactor_->remove(*poller);
  }

  void make(runtime::ReactorOptions options) {
    auto backend = std::make_unique<FakeBackend>();
    kernel_ = backend.get();
    kernel_->clock_step_ns = 1000;
    reactor_ = runtime::Reactor::create_on(std::move(backend), options);
  }
  void run() {
    auto main = [](coro::Event& end) -> coro::Task<void> {
      const bool set = co_await end.wait();
      EXPECT_TRUE(set);
    };
    reactor_->run(main(end_));
    end_.reset();
  }
  // The run ends with the first sleep.
  void run_until_sleep() {
    kernel_->on_sleep = [this](std::int64_t) { end_.set(); };
    run();
  }

  FakeBackend* kernel_ = nullptr;
  std::unique_ptr<runtime::Reactor> reactor_;
  FakePoller one_;
  FakePoller two_;
  FakePoller three_;
  coro::Event end_;
};

}  // namespace wharf::test
