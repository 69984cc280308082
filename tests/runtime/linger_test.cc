// Coroutines that look a little longer before they give way: Reactor::linger.
#include <cstdint>
#include <functional>

#include <gtest/gtest.h>

#include "wharf/coro/task.h"
#include "wharf/tests/runtime/fake_poller.h"

namespace wharf::runtime {
namespace {

class LingerTest : public test::PollerTest {
 protected:
  // What linger() says to a task that runs alone, with one_ hot.
  bool lingers() {
    bool result = false;
    reactor_->make_hot(one_);
    in_a_task([&] { result = reactor_->linger(one_); });
    return result;
  }
  void in_a_task(std::function<void()> work) {
    auto main = [](std::function<void()> body) -> coro::Task<void> {
      body();
      co_return;
    };
    reactor_->run(main(std::move(work)));
  }
};

TEST_F(LingerTest, WhatComesMeanwhileIsSeenAndTheNewsIsOutBefore) {
  int glances = 0;
  one_.on_glance = [&] {
    EXPECT_EQ(one_.flushes, 1);
    return ++glances == 5;
  };

  EXPECT_TRUE(lingers());
  EXPECT_EQ(glances, 5);
}

TEST_F(LingerTest, ItEndsWhenNothingComes) {
  int glances = 0;
  one_.on_glance = [&] {
    ++glances;
    return false;
  };

  EXPECT_FALSE(lingers());
  EXPECT_GT(glances, 1);
  EXPECT_LE(glances, 64);
}

TEST_F(LingerTest, OneTurnHasRoomForAFewOnly) {
  one_.on_glance = [] { return true; };
  reactor_->make_hot(one_);
  int count = 0;
  in_a_task([&] {
    while (count < 10'000 && reactor_->linger(one_)) ++count;
  });

  EXPECT_GT(count, 1);
  EXPECT_LT(count, 1000);
}

TEST_F(LingerTest, NobodyLingersWhileAnotherTaskIsReady) {
  bool result = true;
  reactor_->make_hot(one_);
  auto other = []() -> coro::Task<void> { co_return; };
  struct NoOne final : coro::Joiner {
    coro::Frame* child_done(coro::Frame&) noexcept override { return nullptr; }
  };
  NoOne joiner;
  const coro::Context context{reactor_.get(), {}};
  coro::Task<void> task = other();
  auto main = [](std::function<void()> body) -> coro::Task<void> {
    body();
    co_await coro::yield();  // the other one's turn
  };
  reactor_->run(main([&] {
    task.start(joiner, context);
    result = reactor_->linger(one_);
  }));

  EXPECT_FALSE(result);
}

TEST_F(LingerTest, NobodyLingersForOneOfTwo) {
  reactor_->make_hot(two_);

  EXPECT_FALSE(lingers());
}

TEST_F(LingerTest, NobodyLingersWhileAnotherHasNewsThatIsNotOut) {
  reactor_->make_hot(one_);
  bool result = true;
  in_a_task([&] {
    reactor_->flush_later(two_);
    result = reactor_->linger(one_);
  });

  EXPECT_FALSE(result);
}

TEST_F(LingerTest, NobodyLingersForAPeerThatNeedsTheCoreOrRests) {
  for (const Poller::Spinning spinning : {Poller::Spinning::kHarmful, Poller::Spinning::kUseless}) {
    one_.spins = spinning;
    EXPECT_FALSE(lingers());
  }
  EXPECT_EQ(one_.flushes, 0);
}

TEST_F(LingerTest, NobodyLingersWhereNobodySpins) {
  make({.spin_ns = 0});

  EXPECT_FALSE(lingers());
}

TEST_F(LingerTest, NobodyLingersWhileSomethingIsPosted) {
  reactor_->make_hot(one_);
  bool result = true;
  in_a_task([&] {
    reactor_->post([] {});
    result = reactor_->linger(one_);
  });

  EXPECT_FALSE(result);
}

}  // namespace
}  // namespace wharf::runtime
