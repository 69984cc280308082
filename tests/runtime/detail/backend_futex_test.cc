// A wait for a futex, on each backend.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;
using test::Results;

class BackendFutexTest : public test::EachBackend {
 protected:
  BackendFutexTest() { wait_.offset = 0; }
  void set_up() override {
    make();
    word_.store(1);
    if (result_of(wait_) == -EINVAL) GTEST_SKIP() << "this kernel's io_uring waits for no futex";
    word_.store(0);
    wait_.results.clear();
    wait_.final_count = 0;
  }
  std::int64_t wake(int count) { return ::syscall(SYS_futex, &word_, FUTEX_WAKE, count, nullptr, nullptr, 0); }
  // Once it sleeps.
  void wake_one() {
    while (wake(1) == 0) std::this_thread::yield();
  }

  std::atomic<std::uint32_t> word_{0};
  Recorder wait_{Opcode::kFutexWait, -1, &word_};  // while it is 0
};
WHARF_EACH_BACKEND(BackendFutexTest);

TEST_P(BackendFutexTest, AWakeEndsIt) {
  backend_->submit(wait_);
  EXPECT_EQ(backend_->poll(), 0U);
  wake_one();
  wait_for(wait_);

  EXPECT_EQ(wait_.results, Results{0});
}

TEST_P(BackendFutexTest, AnotherValueEndsItAtOnce) {
  word_.store(1);

  EXPECT_EQ(result_of(wait_), -EAGAIN);
}

TEST_P(BackendFutexTest, ACancelEndsItOnce) {
  const std::uint64_t cancels = backend_->counters().cancels;
  backend_->submit(wait_);
  backend_->poll();
  backend_->cancel(wait_);
  backend_->cancel(wait_);
  EXPECT_TRUE(wait_.results.empty());
  wait_for(wait_);

  EXPECT_EQ(wait_.results, Results{-ECANCELED});
  EXPECT_EQ(backend_->counters().cancels, cancels + 1);
  EXPECT_EQ(wake(INT_MAX), 0);  // nobody sleeps on it any more
}

TEST_P(BackendFutexTest, ItMayBeStartedAgain) {
  for (int i = 0; i < 3; ++i) {
    backend_->submit(wait_);
    backend_->poll();
    backend_->cancel(wait_);
    wait_for(wait_);
  }
  backend_->submit(wait_);
  backend_->poll();
  wake_one();
  wait_for(wait_);

  EXPECT_EQ(wait_.results, (Results{-ECANCELED, -ECANCELED, -ECANCELED, 0}));
}

TEST_P(BackendFutexTest, AChangeAndAWakeEndTheSleepOfTheReactor) {
  backend_->submit(wait_);
  std::thread waker([this] {
    word_.store(1);
    wake(1);
  });

  while (wait_.in_flight()) backend_->wait(kNever);

  waker.join();
  EXPECT_TRUE(wait_.results == Results{0} || wait_.results == Results{-EAGAIN});
}

using BackendFutexDeathTest = BackendFutexTest;
WHARF_EACH_BACKEND(BackendFutexDeathTest);

TEST_P(BackendFutexDeathTest, DyingWithAnOpenWaitAborts) {
  EXPECT_DEATH(
      {
        static_cast<void>(backend_.release());  // it is the parent's
        make();
        backend_->submit(wait_);
        backend_->poll();
        backend_.reset();
      },
      "destroyed with operations in flight");
}

}  // namespace
}  // namespace wharf::runtime::detail
