#include "wharf/runtime/futex.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/refuse_call.h"

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

// Gives how many were woken.
std::int64_t wake(const Word& word, int count, FutexKind kind = FutexKind::kShared) {
  const int operation = kind == FutexKind::kPrivate ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
  return ::syscall(SYS_futex, &word, operation, count, nullptr, nullptr, 0);
}

// Once one sleeps.
void wake_one(const Word& word, FutexKind kind = FutexKind::kShared) {
  while (wake(word, 1, kind) == 0) std::this_thread::yield();
}

Task<void> note_wait(const Word& word, FutexKind kind, Status& result) { result = co_await wait_for(word, 0, kind); }

Task<void> wait_and_wake(Word& word, FutexKind kind, Status& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_wait(word, kind, result));
    co_await test::next_turn();
    wake_one(word, kind);
  });
}

TEST(FutexTest, AWakeEndsTheWait) {
  for (const FutexKind kind : {FutexKind::kShared, FutexKind::kPrivate}) {
    Harness harness;
    SKIP_WITHOUT_FUTEX(harness);
    Word word{0};
    Status result = make_status(StatusCode::kUnknown, "");
    harness.run(wait_and_wake(word, kind, result));

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

// A thread that waits for the word as others do.
class PlainWaiter {
 public:
  explicit PlainWaiter(const Word& word)
      : thread_([&word] { ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0); }) {}
  ~PlainWaiter() { thread_.join(); }

 private:
  std::thread thread_;
};

Task<void> stop_and_wake(const Word& word, Status& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_wait(word, FutexKind::kShared, result));
    co_await test::next_turn();
    std::thread waker([&word] { wake_one(word); });
    scope.cancel();
    waker.join();
  });
}

// One wake, of a word that stays as it is: whoever did not get it must not have taken it.
TEST(FutexTest, AStoppedWaitTakesNoWakeFromOthers) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  for (int i = 0; i < 200; ++i) {
    const Word word{0};
    const PlainWaiter other(word);
    Status result;
    harness.run(stop_and_wake(word, result));

    if (result.ok()) {
      wake_one(word);
    } else {
      EXPECT_EQ(result.code(), StatusCode::kCancelled);
    }
  }
}

Task<void> wait_for_all(std::deque<Word>& words, bool stop, int& woken, int& stopped) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    for (Word& word : words) {
      scope.spawn([](Word* one, int* ok_count, int* other_count) -> Task<void> {
        Status result = co_await wait_for(*one, 0);
        ++*(result.ok() ? ok_count : other_count);
      }(&word, &woken, &stopped));
    }
    co_await test::next_turn();
    if (stop) {
      scope.cancel();
      co_return;
    }
    for (Word& word : words) {
      word.store(1);
      wake(word, INT_MAX);
    }
  });
}

TEST(FutexTest, ManyWordsAreWaitedForAtOnce) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  std::deque<Word> words(300);
  int woken = 0;
  int stopped = 0;
  harness.run(wait_for_all(words, true, woken, stopped));
  EXPECT_EQ(stopped, 300);
  harness.run(wait_for_all(words, false, woken, stopped));

  EXPECT_EQ(woken, 300);
  EXPECT_EQ(stopped, 300);
}

Task<void> wait_thrice(Word& word, int& woken) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      scope.spawn([](Word* one, int* count) -> Task<void> {
        Status result = co_await wait_for(*one, 0);
        *count += result.ok() ? 1 : 0;
      }(&word, &woken));
    }
    co_await test::next_turn();
    word.store(1);
    wake(word, INT_MAX);
  });
}

TEST(FutexTest, AllThatWaitForOneWordLearnOfItsChange) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  Word word{0};
  int woken = 0;
  harness.run(wait_thrice(word, woken));

  EXPECT_EQ(woken, 3);
}

TEST(FutexTest, AnotherProcessWakes) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& word = *new (memory) Word(0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // if the parent goes first, nobody ever sleeps
    wake_one(word);
    ::_exit(0);
  }

  EXPECT_TRUE(harness.run(wait_for(word, 0)).ok());

  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  ::munmap(memory, 4096);
}

Task<void> wait_beside_a_bad_one(Word& good, const Word& bad, Status& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_wait(good, FutexKind::kShared, result));
    co_await test::next_turn();
    Status refused = co_await wait_for(bad, 0);
    EXPECT_NE(refused.message().find("EFAULT"), std::string::npos) << refused;
    wake_one(good);
  });
}

TEST(FutexTest, AWordThatIsNoMemoryIsAnErrorOfItsOwn) {
  Harness harness;
  SKIP_WITHOUT_FUTEX(harness);
  void* const memory = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  Word good{0};
  Status result = make_status(StatusCode::kUnknown, "");
  harness.run(wait_beside_a_bad_one(good, *static_cast<const Word*>(memory), result));

  EXPECT_TRUE(result.ok()) << result;
  ::munmap(memory, 4096);
}

// What a wait says on epoll, in a thread where the call fails.
Status without_call(std::initializer_list<unsigned> calls, int error) {
  Status said;
  std::thread([&] {
    const test::Watchdog watchdog;
    const auto reactor = Reactor::create_on(*detail::EpollBackend::create(64));
    for (const unsigned call : calls) EXPECT_TRUE(test::refuse_call(call, error));
    const Word word{0};
    said = reactor->run(wait_for(word, 0));
  }).join();
  return said;
}

TEST(FutexOnEpollTest, WithoutTheCallItIsUnimplementedAndSaysWhy) {
  const Status old_kernel = without_call({SYS_futex_waitv}, ENOSYS);
  EXPECT_EQ(old_kernel.code(), StatusCode::kUnimplemented);
  EXPECT_NE(old_kernel.message().find("Linux 5.16 (ENOSYS)"), std::string::npos) << old_kernel;

  const Status forbidden = without_call({SYS_futex_waitv}, EPERM);
  EXPECT_EQ(forbidden.code(), StatusCode::kUnimplemented);
  EXPECT_NE(forbidden.message().find("seccomp filter"), std::string::npos) << forbidden;
}

TEST(FutexOnEpollTest, WithoutAThreadItIsRefused) {
  const Status status = without_call({SYS_clone, SYS_clone3}, EAGAIN);

  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("no thread"), std::string::npos) << status;
}

}  // namespace
}  // namespace wharf::runtime
