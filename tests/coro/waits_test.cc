// What every primitive has in common that tasks wait for: when a wait ends, and what a stop does to it, before, after and in
// the turn in which what it waits for comes. To add a primitive, add how it is waited for.
#include <optional>

#include <gtest/gtest.h>

#include "wharf/coro/auto_reset_event.h"
#include "wharf/coro/channel.h"
#include "wharf/coro/event.h"
#include "wharf/coro/latch.h"
#include "wharf/coro/mutex.h"
#include "wharf/coro/semaphore.h"
#include "wharf/coro/shared_mutex.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

// Each makes waits wait until come(), which serves one of them at least. `true`: the wait has what it waited for.

struct OnEvent {
  Event event;
  static Task<bool> wait(OnEvent& on) { co_return co_await on.event.wait(); }
  void come() { event.set(); }
};

struct OnAutoResetEvent {
  AutoResetEvent event;
  static Task<bool> wait(OnAutoResetEvent& on) { co_return co_await on.event.wait(); }
  void come() { event.set(); }
};

struct OnLatch {
  Latch latch{1};
  static Task<bool> wait(OnLatch& on) { co_return co_await on.latch.wait(); }
  void come() { latch.count_down(); }
};

struct OnMutex {
  Mutex mutex;
  Mutex::Lock held = mutex.try_lock();
  static Task<bool> wait(OnMutex& on) {
    auto lock = co_await on.mutex.lock();
    co_return static_cast<bool>(lock);
  }
  void come() { held.unlock(); }
};

struct OnSemaphore {
  Semaphore semaphore{0};
  static Task<bool> wait(OnSemaphore& on) {
    auto permit = co_await on.semaphore.acquire();
    co_return static_cast<bool>(permit);
  }
  void come() { semaphore.release(); }
};

struct OnWriting {
  SharedMutex mutex;
  SharedMutex::SharedLock held = mutex.try_lock_shared();
  static Task<bool> wait(OnWriting& on) {
    auto lock = co_await on.mutex.lock();
    co_return static_cast<bool>(lock);
  }
  void come() { held.unlock(); }
};

struct OnReading {
  SharedMutex mutex;
  SharedMutex::Lock held = mutex.try_lock();
  static Task<bool> wait(OnReading& on) {
    auto lock = co_await on.mutex.lock_shared();
    co_return static_cast<bool>(lock);
  }
  void come() { held.unlock(); }
};

struct OnReceiving {
  Channel<int> channel{1};
  static Task<bool> wait(OnReceiving& on) {
    std::optional<int> item = co_await on.channel.receive();
    co_return item.has_value();
  }
  void come() { EXPECT_TRUE(channel.try_send(7)); }
};

struct OnSending {
  OnSending() { EXPECT_TRUE(channel.try_send(7)); }
  Channel<int> channel{1};
  static Task<bool> wait(OnSending& on) { co_return co_await on.channel.send(8); }
  void come() { EXPECT_TRUE(channel.try_receive().has_value()); }
};

template <class On>
class WaitsTest : public ::testing::Test {
 protected:
  Loop loop_;
  On on_;
};

using All = ::testing::Types<OnEvent, OnAutoResetEvent, OnLatch, OnMutex, OnSemaphore, OnWriting, OnReading,
                             OnReceiving, OnSending>;
TYPED_TEST_SUITE(WaitsTest, All);

TYPED_TEST(WaitsTest, AWaitEndsInTheTurnAfterWhatItWaitsForHasCome) {
  auto waiting = this->loop_.start(TypeParam::wait(this->on_));
  this->loop_.run_ready();
  EXPECT_FALSE(waiting.done());

  this->on_.come();
  EXPECT_FALSE(waiting.done());
  EXPECT_EQ(this->loop_.run_ready(), 1U);

  EXPECT_TRUE(waiting.take());
}

TYPED_TEST(WaitsTest, WhatHasComeAlreadyIsNotWaitedFor) {
  this->on_.come();
  auto waiting = this->loop_.start(TypeParam::wait(this->on_));

  EXPECT_EQ(this->loop_.run_ready(), 1U);
  EXPECT_TRUE(waiting.take());
}

TYPED_TEST(WaitsTest, AWaitStoppedBeforeItStartsIsInVain) {
  this->loop_.stop();

  EXPECT_FALSE(this->loop_.run(TypeParam::wait(this->on_)));
}

TYPED_TEST(WaitsTest, AStoppedTaskThatNeedNotWaitStillSucceeds) {
  this->on_.come();
  this->loop_.stop();

  EXPECT_TRUE(this->loop_.run(TypeParam::wait(this->on_)));
}

TYPED_TEST(WaitsTest, AWaitThatIsStoppedTakesNothingFromTheNextOne) {
  Loop other;
  auto stopped = this->loop_.start(TypeParam::wait(this->on_));
  auto next = other.start(TypeParam::wait(this->on_));
  this->loop_.run_ready();
  other.run_ready();

  this->loop_.stop();
  this->loop_.run_ready();
  EXPECT_FALSE(stopped.take());
  other.run_ready();
  EXPECT_FALSE(next.done());

  this->on_.come();
  other.run_ready();
  EXPECT_TRUE(next.take());
}

TYPED_TEST(WaitsTest, AStopInTheTurnInWhichItHasComeIsTooLate) {
  auto waiting = this->loop_.start(TypeParam::wait(this->on_));
  this->loop_.run_ready();

  this->on_.come();
  this->loop_.stop();
  EXPECT_EQ(this->loop_.run_ready(), 1U);

  EXPECT_TRUE(waiting.take());
}

TYPED_TEST(WaitsTest, WhatComesInTheTurnOfTheStopIsTooLateAndStaysForTheNextOne) {
  Loop other;
  auto waiting = this->loop_.start(TypeParam::wait(this->on_));
  this->loop_.run_ready();

  this->loop_.stop();
  this->on_.come();
  EXPECT_EQ(this->loop_.run_ready(), 1U);

  EXPECT_FALSE(waiting.take());
  EXPECT_TRUE(other.run(TypeParam::wait(this->on_)));
}

template <class On>
void destroy_under_a_waiter() {
  Loop loop;
  std::optional<On> on(std::in_place);
  auto waiting = loop.start(On::wait(*on));
  loop.run_ready();
  on.reset();
}

// Mutexes have a test of their own: who waits for one waits for a lock, and that must not outlive it either.
TEST(WaitsDeathTest, WhatIsDestroyedUnderAWaiterAborts) {
  const char* const said = "something that tasks wait for was destroyed: join them first";
  EXPECT_DEATH(destroy_under_a_waiter<OnEvent>(), said);
  EXPECT_DEATH(destroy_under_a_waiter<OnAutoResetEvent>(), said);
  EXPECT_DEATH(destroy_under_a_waiter<OnLatch>(), said);
  EXPECT_DEATH(destroy_under_a_waiter<OnSemaphore>(), said);
  EXPECT_DEATH(destroy_under_a_waiter<OnReceiving>(), said);
  EXPECT_DEATH(destroy_under_a_waiter<OnSending>(), said);
}

}  // namespace
}  // namespace wharf::coro
