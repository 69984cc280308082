#include "wharf/runtime/detail/futex_waits.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <deque>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime::detail {
namespace {

using Word = std::atomic<std::uint32_t>;

struct Waiter final : FutexWaits::Client {
  void on_futex_end(std::int32_t result) noexcept override {
    end.store(result);
    end.notify_one();
  }
  std::int32_t result() {
    end.wait(FutexWaits::kWaiting);
    return end.load();
  }
  Word word{0};
  std::atomic<std::int32_t> end{FutexWaits::kWaiting};
};

std::int32_t start(FutexWaits& waits, Waiter& waiter) {
  waiter.end.store(FutexWaits::kWaiting);
  return waits.start(waiter, {.address = &waiter.word, .expected = 0, .is_private = true});
}

std::int64_t wake(const Word& word, int count) {
  return ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

// Has a thread that sleeps on one word sleep on the other instead. Gives how many did. The kernel may wake a sleeper for
// nothing, and does so if it is moved while it falls asleep: then it sleeps on the first word again.
std::int64_t move_sleeper(const Word& from, const Word& to) {
  return ::syscall(SYS_futex, &from, FUTEX_CMP_REQUEUE_PRIVATE, 0, 1, &to, 0);
}

TEST(FutexWaitsTest, NoThreadIsStartedForAWordThatHasChanged) {
  FutexWaits waits;
  Waiter waiter;
  waiter.word.store(1);

  EXPECT_EQ(start(waits, waiter), -EAGAIN);

  EXPECT_EQ(waits.thread_count(), 0U);
}

TEST(FutexWaitsTest, AThreadTakes127WordsAndTheNextHasAnother) {
  const test::Watchdog watchdog;
  FutexWaits waits;
  std::deque<Waiter> waiters(128);
  for (Waiter& waiter : waiters) {
    EXPECT_EQ(start(waits, waiter), FutexWaits::kWaiting);
    EXPECT_EQ(waits.thread_count(), &waiter == &waiters.back() ? 2U : 1U);
  }
  // Room again.
  EXPECT_TRUE(waits.cancel(waiters[5]));
  EXPECT_EQ(waiters[5].result(), -ECANCELED);
  EXPECT_EQ(start(waits, waiters[5]), FutexWaits::kWaiting);
  for (Waiter& waiter : waiters) {
    waiter.word.store(1);
    wake(waiter.word, 1);
  }
  for (Waiter& waiter : waiters) EXPECT_LE(waiter.result(), 0);

  EXPECT_EQ(waits.thread_count(), 2U);
}

TEST(FutexWaitsTest, EachChangeIsToldHoweverManyComeAtOnce) {
  const test::Watchdog watchdog;
  FutexWaits waits;
  std::deque<Waiter> waiters(40);
  for (int round = 0; round < 50; ++round) {
    for (Waiter& waiter : waiters) {
      waiter.word.store(0);
      EXPECT_EQ(start(waits, waiter), FutexWaits::kWaiting);
    }
    std::thread other([&] {
      for (std::size_t i = 0; i < waiters.size(); i += 2) {
        waiters[i].word.store(1);
        wake(waiters[i].word, INT_MAX);
      }
    });
    for (std::size_t i = 1; i < waiters.size(); i += 2) {
      waiters[i].word.store(1);
      wake(waiters[i].word, INT_MAX);
    }
    for (Waiter& waiter : waiters) {
      const std::int32_t result = waiter.result();
      EXPECT_TRUE(result == 0 || result == -EAGAIN) << result;
    }
    other.join();
  }
}

TEST(FutexWaitsTest, ACancelledWaitEndsOnce) {
  const test::Watchdog watchdog;
  FutexWaits waits;
  Waiter waiter;
  EXPECT_EQ(start(waits, waiter), FutexWaits::kWaiting);
  EXPECT_TRUE(waits.cancel(waiter));
  EXPECT_EQ(waiter.result(), -ECANCELED);

  EXPECT_FALSE(waits.cancel(waiter));
}

// Two words of one thread are woken before it can look, and the kernel names one of them: the other, which is given up, took
// a wake that somebody else waits for.
TEST(FutexWaitsTest, ACancelledWaitTakesNoWakeThoughAnotherWordIsWokenToo) {
  const test::Watchdog watchdog;
  FutexWaits waits;
  for (int round = 0; round < 25; ++round) {
    Waiter given_up;
    Waiter other;
    EXPECT_EQ(start(waits, given_up), FutexWaits::kWaiting);
    EXPECT_EQ(start(waits, other), FutexWaits::kWaiting);
    Word before{0};
    std::atomic<bool> woken{false};
    std::thread plain([&] {
      ::syscall(SYS_futex, &before, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
      woken.store(true);
    });
    while (move_sleeper(before, given_up.word) == 0) std::this_thread::yield();
    std::thread waker([&] {
      other.word.store(1);
      wake(other.word, 1);
    });
    while (wake(given_up.word, 1) == 0) std::this_thread::yield();
    waits.cancel(given_up);
    const std::int32_t result = given_up.result();
    EXPECT_TRUE(result == 0 || result == -ECANCELED) << result;
    while (!woken.load()) {
      if (result == 0) wake(given_up.word, 1);
      wake(before, 1);  // it has come back, and had no part in this
      std::this_thread::yield();
    }
    plain.join();
    waker.join();
    EXPECT_LE(other.result(), 0);
  }
}

TEST(FutexWaitsDeathTest, TheyOutliveNoWait) {
  EXPECT_DEATH(
      {
        Waiter waiter;
        FutexWaits waits;
        start(waits, waiter);
      },
      "the waits for futexes were destroyed while one is open");
}

}  // namespace
}  // namespace wharf::runtime::detail
