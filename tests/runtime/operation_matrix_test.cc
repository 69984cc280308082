// Every public operation of the runtime (the rows: matrix/rows_*.cc) with everything that may happen to one (the columns: a
// test each, over the rows that it applies to). docs/operations.md is the table of both.
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/coro/scope.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/matrix/case.h"

namespace wharf::test {
namespace {

using coro::Scope;
using coro::Task;
using runtime::Reactor;

// A row; it leaves neither a descriptor nor a frame behind.
class RowTest : public ::testing::TestWithParam<Row> {
 protected:
  struct Census {
    std::size_t fds = open_fd_count();
    std::uint64_t frames = coro::frame_counters().allocated - coro::frame_counters().freed;
  };

  void SetUp() override {
    if (!GetParam().has(kOptional)) return;
    Harness harness;
    const std::unique_ptr<Case> operation = GetParam().make();
    operation->trigger();
    const Status status = harness.run(operation->start({}));
    if (status.code() == StatusCode::kUnimplemented) GTEST_SKIP() << status;
  }

  // `test` has the operation to itself, on a reactor that ends after it.
  void with_case(Task<void> (*test)(const Row& row, Case& operation)) {
    const Census before;
    {
      Harness harness;
      const std::unique_ptr<Case> operation = GetParam().make();
      harness.run(test(GetParam(), *operation));
    }
    EXPECT_EQ(Census().fds, before.fds);
    EXPECT_EQ(Census().frames, before.frames);
  }
};

std::vector<Row> rows_where(bool (*applies)(const Row&)) {
  std::vector<Row> rows;
  for (const auto& some : {io_rows(), net_rows(), task_rows(), file_rows()}) {
    for (const Row& row : some) {
      if (applies(row)) rows.push_back(row);
    }
  }
  return rows;
}

#define WHARF_ROWS(suite, applies)                                                                               \
  class suite : public RowTest {};                                                                               \
  INSTANTIATE_TEST_SUITE_P(Rows, suite, ::testing::ValuesIn(rows_where([](const Row& row) { return applies; })), \
                           [](const auto& given) { return std::string(given.param.name); })

WHARF_ROWS(AnyOperation, !row.has(kEndless));
WHARF_ROWS(WaitingOperation, row.has(kWaits) && !row.has(kEndless));
WHARF_ROWS(FailingOperation, row.has(kFails));
WHARF_ROWS(OperationOnASource, row.has(kEnds));
WHARF_ROWS(InterruptibleOperation, !row.has(kAlways));
WHARF_ROWS(InterruptibleWait, row.has(kWaits) && !row.has(kBegun));
WHARF_ROWS(InterruptibleWork, !row.has(kWaits) && !row.has(kBegun));
WHARF_ROWS(CountedOperation, !row.has(kUncounted) && !row.has(kEndless));
WHARF_ROWS(AwaiterThatLetsGo, row.has(kLetsGo));
WHARF_ROWS(AwaiterThatHoldsOnDeathTest, row.has(kHoldsOn));

// An operation that is being awaited.
struct Attempt {
  Task<void> run(Case& operation, runtime::IoOptions options = {}) {
    Status status = co_await operation.start(options);
    ended = std::move(status);
  }
  std::optional<Status> ended;
};

// It runs into what it waits for, if it waits.
Task<void> begin(const Row& row, Scope& scope, Attempt& attempt, Case& operation) {
  scope.spawn(attempt.run(operation));
  if (!row.has(kWaits)) co_return;
  co_await next_turn();
  EXPECT_FALSE(attempt.ended.has_value()) << *attempt.ended;
}

TEST_P(AnyOperation, Succeeds) {
  with_case([](const Row& row, Case& operation) -> Task<void> {
    Attempt attempt;
    Scope scope;
    co_await begin(row, scope, attempt, operation);
    operation.trigger();
    co_await scope.join();
    EXPECT_TRUE(attempt.ended->ok()) << *attempt.ended;
    EXPECT_TRUE(operation.happened());
  });
}

TEST_P(WaitingOperation, NeedNotWaitForWhatIsThere) {
  with_case([](const Row& /*row*/, Case& operation) -> Task<void> {
    operation.trigger();
    Status ended = co_await operation.start({});
    EXPECT_TRUE(ended.ok()) << ended;
  });
}

TEST_P(FailingOperation, SaysWhatFailed) {
  with_case([](const Row& /*row*/, Case& operation) -> Task<void> {
    const std::string what = operation.spoil();
    Status ended = co_await operation.start({});
    EXPECT_FALSE(ended.ok());
    EXPECT_NE(ended.message().find(what), absl::string_view::npos) << ended;
  });
}

TEST_P(OperationOnASource, SaysThatItsSourceHasEnded) {
  with_case([](const Row& /*row*/, Case& operation) -> Task<void> {
    operation.end();
    Status ended = co_await operation.start({});
    EXPECT_EQ(ended.code(), StatusCode::kOutOfRange) << ended;
  });
}

TEST_P(OperationOnASource, SaysSoWhenThatHappensMeanwhile) {
  with_case([](const Row& row, Case& operation) -> Task<void> {
    Attempt attempt;
    Scope scope;
    co_await begin(row, scope, attempt, operation);
    operation.end();
    co_await scope.join();
    EXPECT_EQ(attempt.ended->code(), StatusCode::kOutOfRange) << *attempt.ended;
  });
}

// It has lost nothing: what was to come comes.
Task<void> try_again(const Row& row, Case& operation, bool triggered) {
  if (!row.has(kAgain)) co_return;
  if (!triggered) operation.trigger();
  Status again = co_await operation.start({});
  EXPECT_TRUE(again.ok()) << again;
}

// It is given no chance to begin.
Task<void> refuse(const Row& row, Case& operation, Scope& scope, runtime::IoOptions options, StatusCode reason) {
  const bool there = row.has(kWaits) && !row.has(kEager) && !row.has(kEndless);
  if (there) operation.trigger();
  Attempt attempt;
  scope.spawn(attempt.run(operation, options));
  co_await scope.join();
  EXPECT_EQ(attempt.ended->code(), reason) << *attempt.ended;
  EXPECT_FALSE(row.has(kVisible) && operation.happened());
  co_await try_again(row, operation, there);
}

TEST_P(InterruptibleOperation, StoppedBeforeHasNotBegun) {
  with_case([](const Row& row, Case& operation) -> Task<void> {
    Scope scope;
    scope.cancel();
    co_await refuse(row, operation, scope, {}, StatusCode::kCancelled);
  });
}

TEST_P(InterruptibleOperation, WithADeadlineInThePastHasNotBegun) {
  with_case([](const Row& row, Case& operation) -> Task<void> {
    Scope scope;
    co_await refuse(row, operation, scope, {.deadline_ns = 1}, StatusCode::kDeadlineExceeded);
  });
}

Task<void> stop_while_it_waits(const Row& row, Case& operation, bool in_kernel) {
  Attempt attempt;
  Scope scope;
  scope.spawn(attempt.run(operation));
  co_await coro::yield();
  if (in_kernel) co_await next_turn();
  EXPECT_FALSE(attempt.ended.has_value()) << *attempt.ended;
  scope.cancel();
  co_await scope.join();
  EXPECT_EQ(attempt.ended->code(), StatusCode::kCancelled) << *attempt.ended;
  co_await try_again(row, operation, false);
}

TEST_P(InterruptibleWait, StoppedBeforeTheKernelHasItEnds) {
  with_case([](const Row& row, Case& operation) -> Task<void> { co_await stop_while_it_waits(row, operation, false); });
}

TEST_P(InterruptibleWait, StoppedMeanwhileEnds) {
  with_case([](const Row& row, Case& operation) -> Task<void> { co_await stop_while_it_waits(row, operation, true); });
}

TEST_P(InterruptibleWait, AtItsDeadlineEnds) {
  with_case([](const Row& row, Case& operation) -> Task<void> {
    const std::int64_t deadline_ns = Reactor::current().now_ns() + 3'000'000;
    Status ended = co_await operation.start({.deadline_ns = deadline_ns});
    EXPECT_EQ(ended.code(), StatusCode::kDeadlineExceeded) << ended;
    EXPECT_GE(Reactor::current().now_ns(), deadline_ns);
    co_await try_again(row, operation, false);
  });
}

// Where the kernel was faster it has succeeded, and otherwise been stopped; both are told as they are.
Task<void> stop_while_it_works(const Row& row, Case& operation, bool in_kernel) {
  Attempt attempt;
  Scope scope;
  scope.spawn(attempt.run(operation));
  co_await coro::yield();
  if (in_kernel) co_await next_turn();
  scope.cancel();
  co_await scope.join();
  const bool succeeded = attempt.ended->ok();
  EXPECT_TRUE(succeeded || attempt.ended->code() == StatusCode::kCancelled) << *attempt.ended;
  EXPECT_TRUE(!succeeded || !row.has(kVisible) || operation.happened());
}

TEST_P(InterruptibleWork, StoppedBeforeTheKernelHasItSaysWhatIsSo) {
  with_case([](const Row& row, Case& operation) -> Task<void> { co_await stop_while_it_works(row, operation, false); });
}

TEST_P(InterruptibleWork, StoppedMeanwhileSaysWhatIsSo) {
  with_case([](const Row& row, Case& operation) -> Task<void> { co_await stop_while_it_works(row, operation, true); });
}

std::uint64_t count_of(Decision kind) {
  const runtime::ReactorCounters counters = Reactor::current().counters();
  return kind == Decision::kPost ? counters.posted : counters.completions;
}

// This task is ahead of the operation's in the queue: it sees that the end has come before the operation's task goes on.
TEST_P(CountedOperation, StoppedAfterItsEndHasSucceeded) {
  with_case([](const Row& row, Case& operation) -> Task<void> {
    Attempt attempt;
    Scope scope;
    co_await begin(row, scope, attempt, operation);
    const Decision kind = operation.decision();
    const std::uint64_t before = count_of(kind);
    operation.trigger();
    while (kind != Decision::kTrigger && count_of(kind) == before && !attempt.ended.has_value()) {
      co_await coro::yield();
    }
    EXPECT_FALSE(attempt.ended.has_value()) << "this came too late to try anything";
    scope.cancel();
    co_await scope.join();
    EXPECT_TRUE(attempt.ended->ok()) << *attempt.ended;
    EXPECT_TRUE(operation.happened());
  });
}

std::atomic<int> handled{0};

void count_signal(int /*signal*/) { handled.fetch_add(1); }

// Interrupts the thread that made it, whatever it does, and lets the operation succeed after that.
class Interrupter {
 public:
  explicit Interrupter(Case& operation) {
    struct sigaction action{};
    action.sa_handler = count_signal;  // without SA_RESTART
    EXPECT_EQ(::sigaction(SIGUSR1, &action, &old_), 0);
    thread_ = std::thread([&operation, target = ::pthread_self()] {
      for (const int end = handled.load() + 20; handled.load() < end;) {
        ::pthread_kill(target, SIGUSR1);
        std::this_thread::yield();
      }
      operation.trigger();
    });
  }
  ~Interrupter() {
    thread_.join();
    EXPECT_EQ(::sigaction(SIGUSR1, &old_, nullptr), 0);
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

 private:
  struct sigaction old_{};
  std::thread thread_;
};

TEST_P(AnyOperation, SucceedsUnderSignalsThatAreHandled) {
  with_case([](const Row& /*row*/, Case& operation) -> Task<void> {
    const Interrupter interrupter(operation);
    Status ended = co_await operation.start({});
    EXPECT_TRUE(ended.ok()) << ended;
  });
}

Task<void> destroy_while_it_waits(const Row& row, Case& operation) {
  const coro::Context& context = co_await coro::context();
  {
    Discardable waiting = operation.discardable();
    waiting.start(context);
    co_await next_turn();
  }
  co_await next_turn();
  co_await try_again(row, operation, false);
}

TEST_P(AwaiterThatLetsGo, DestroyedWhileItWaitsLeavesNothing) { with_case(destroy_while_it_waits); }

// Where another thread uses the awaiter, ThreadSanitizer sees that before we do, and aborts too.
TEST_P(AwaiterThatHoldsOnDeathTest, DestroyedWhileItWaitsAborts) {
  EXPECT_DEATH(
      {
        Harness harness;
        const std::unique_ptr<Case> operation = GetParam().make();
        harness.run(destroy_while_it_waits(GetParam(), *operation));
      },
      "was destroyed|ThreadSanitizer: data race");
}

}  // namespace
}  // namespace wharf::test
