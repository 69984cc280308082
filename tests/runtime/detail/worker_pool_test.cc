#include "wharf/runtime/detail/worker_pool.h"

#include <pthread.h>

#include <csignal>
#include <semaphore>

#include <gtest/gtest.h>

#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime::detail {
namespace {

using Pushed = WorkerPool::Pushed;

// Says that it runs, and waits until it may end. It outlives the pool: the thread lets go of it after it has ended.
struct Gate final : Job {
  void run() noexcept override {
    begun.release();
    open.acquire();
    ended.release();
  }
  std::binary_semaphore begun{0};
  std::binary_semaphore open{0};
  std::binary_semaphore ended{0};
};

class WorkerPoolTest : public ::testing::Test {
 protected:
  test::Watchdog watchdog_;
};

TEST_F(WorkerPoolTest, ThreadsStartWhenTheyAreNeededAndNotBefore) {
  Gate gates[3];
  WorkerPool pool(2, 8);
  EXPECT_EQ(pool.thread_count(), 0U);
  for (Gate& gate : gates) EXPECT_EQ(pool.push(gate), Pushed::kTaken);
  gates[0].begun.acquire();
  gates[1].begun.acquire();

  EXPECT_EQ(pool.thread_count(), 2U);  // and no more: the third waits
  EXPECT_FALSE(gates[2].begun.try_acquire());
  gates[1].open.release();
  gates[2].begun.acquire();
  for (Gate& gate : gates) gate.open.release();
  gates[2].ended.acquire();
  EXPECT_EQ(pool.thread_count(), 2U);
}

TEST_F(WorkerPoolTest, ThreadsAreUsedAgain) {
  Gate gates[20];
  WorkerPool pool(2, 8);
  for (Gate& gate : gates) {
    gate.open.release();
    EXPECT_EQ(pool.push(gate), Pushed::kTaken);
    gate.ended.acquire();
  }

  EXPECT_LE(pool.thread_count(), 2U);
}

TEST_F(WorkerPoolTest, AJobThatHasNotBegunIsWithdrawn) {
  Gate running;
  Gate waiting;
  WorkerPool pool(1, 8);
  EXPECT_EQ(pool.push(running), Pushed::kTaken);
  running.begun.acquire();
  EXPECT_EQ(pool.push(waiting), Pushed::kTaken);

  EXPECT_FALSE(pool.withdraw(running));
  EXPECT_TRUE(pool.withdraw(waiting));
  EXPECT_FALSE(pool.withdraw(waiting));
  running.open.release();
  running.ended.acquire();
}

TEST_F(WorkerPoolTest, AFullQueueRefuses) {
  Gate gates[4];
  WorkerPool pool(1, 2);
  EXPECT_EQ(pool.push(gates[0]), Pushed::kTaken);
  gates[0].begun.acquire();
  EXPECT_EQ(pool.push(gates[1]), Pushed::kTaken);
  EXPECT_EQ(pool.push(gates[2]), Pushed::kTaken);

  EXPECT_EQ(pool.push(gates[3]), Pushed::kFull);
  EXPECT_TRUE(pool.withdraw(gates[2]));
  EXPECT_EQ(pool.push(gates[3]), Pushed::kTaken);
  for (Gate& gate : gates) gate.open.release();
  gates[3].ended.acquire();
}

TEST_F(WorkerPoolTest, ItsEndWaitsForWhatRuns) {
  Gate gate;
  {
    WorkerPool pool(1, 8);
    EXPECT_EQ(pool.push(gate), Pushed::kTaken);
    gate.begun.acquire();
    gate.open.release();
  }

  EXPECT_TRUE(gate.ended.try_acquire());
}

TEST_F(WorkerPoolTest, SignalsAreBlockedInItsThreads) {
  struct Look final : Job {
    void run() noexcept override {
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      done.release();
    }
    sigset_t mask;
    std::binary_semaphore done{0};
  };
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Look look;
  WorkerPool pool(1, 8);
  EXPECT_EQ(pool.push(look), Pushed::kTaken);
  look.done.acquire();
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);

  for (const int signal : {SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGPIPE}) {
    EXPECT_EQ(sigismember(&look.mask, signal), 1) << signal;
    EXPECT_EQ(sigismember(&after, signal), sigismember(&before, signal)) << signal;
  }
}

}  // namespace
}  // namespace wharf::runtime::detail
