#include "wharf/runtime/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using Word = std::atomic<std::uint32_t>;

Task<Status> wait_for(const Word& word, std::uint32_t expected, FutexKind kind = FutexKind::kShared,
                      IoOptions options = {}) {
  Status woken = co_await futex_wait(word, expected, kind, options);
  co_return woken;
}

#define SKIP_WITHOUT_FUTEX(harness)                                               \
  do {                                                                            \
    const Word probe{1};                                                          \
    if ((harness).run(wait_for(probe, 0)).code() == StatusCode::kUnimplemented) { \
      GTEST_SKIP() << "this kernel's io_uring waits for no futex";                \
    }                                                                             \
  } while (false)

Task<void> note_wait(const Word& word, FutexKind kind, Status& result) {
  result = co_await wait_for(word, 0, kind);
}

Task<void> wake_one(Word& word, FutexKind kind, Status& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_wait(word, kind, result));
    co_await test::next_turn();
    word.store(1);
    const int operation = kind == FutexKind::kPrivate ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
    EXPECT_EQ(::syscall(SYS_futex, &word, operation, INT_MAX, nullptr, nullptr, 0), 1);
  });
}

TEST(FutexTest, AWakeEndsTheWait) {
  for (const FutexKind kind : {FutexKind::kShared, FutexKind::kPrivate}) {
    Harness harness;
    SKIP_WITHOUT_FUTEX(harness);
    Word word{0};
    Status result = make_status(StatusCode::kUnknown, "");
    harness.run(wake_one(word, kind, result));

    EXPECT_TRUE(result.ok()) << result;
  }
}

TEST(FutexTest, AWordThatHasAnotherValueIsNotWaitedFor) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  const Word word{7};

  EXPECT_TRUE(harness.run(wait_for(word, 0)).ok());
}

TEST(FutexTest, ADeadlineEndsTheWait) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  const Word word{0};
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;

  EXPECT_EQ(harness.run(wait_for(word, 0, FutexKind::kShared, {.deadline_ns = deadline})).code(),
            StatusCode::kDeadlineExceeded);
}

Task<void> stop_one(const Word& word, bool in_kernel, Status& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_wait(word, FutexKind::kShared, result));
    co_await coro::yield();
    if (in_kernel) co_await test::next_turn();
    scope.cancel();
  });
}

TEST(FutexTest, AStopEndsTheWait) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    SKIP_WITHOUT_FUTEX(harness);
    const Word word{0};
    Status result;
    harness.run(stop_one(word, in_kernel, result));

    EXPECT_EQ(result.code(), StatusCode::kCancelled);
  }
}

}  // namespace
}  // namespace wharf::runtime
