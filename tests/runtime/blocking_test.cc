#include "wharf/runtime/blocking.h"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;

std::size_t thread_count(Harness& harness) { return harness.reactor().blocking_pool().thread_count(); }

bool lives(pid_t thread) { return ::access(("/proc/self/task/" + std::to_string(thread)).c_str(), F_OK) == 0; }

// A function that says that it runs, and waits until it may end.
struct Gate {
  int operator()() const {
    begun->release();
    open->acquire();
    return 7;
  }
  std::counting_semaphore<>* begun;
  std::counting_semaphore<>* open;
};

struct Gates {
  Gate gate() noexcept { return {&begun, &open}; }
  std::counting_semaphore<> begun{0};
  std::counting_semaphore<> open{0};
};

Task<StatusOr<std::thread::id>> where() {
  StatusOr<std::thread::id> id = co_await run_blocking([] { return std::this_thread::get_id(); });
  co_return id;
}

TEST(BlockingTest, AFunctionRunsOnAnotherThreadAndItsResultComesBack) {
  Harness harness;
  const StatusOr<std::thread::id> id = harness.run(where());

  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_NE(*id, std::this_thread::get_id());
}

Task<void> results_of_every_kind(std::atomic<int>& count) {
  Status nothing = co_await run_blocking([&count] { ++count; });
  EXPECT_TRUE(nothing.ok()) << nothing;
  Status status = co_await run_blocking([] { return make_status(StatusCode::kNotFound, "no"); });
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  StatusOr<int> number = co_await run_blocking([] { return StatusOr<int>(5); });
  EXPECT_EQ(*number, 5);
  auto result = co_await run_blocking([] { return std::make_unique<int>(6); });
  EXPECT_EQ(**result, 6);
}

TEST(BlockingTest, StatusesAreHandedOnAndNothingBecomesOk) {
  Harness harness;
  std::atomic<int> count{0};
  harness.run(results_of_every_kind(count));

  EXPECT_EQ(count.load(), 1);
}

Task<std::string> what_it_throws() {
  std::string said;
  auto thrower = run_blocking([]() -> int { throw std::runtime_error("the quay is closed"); });
  try {
    StatusOr<int> number = co_await std::move(thrower);
    said = number.status().ToString();
  } catch (const std::runtime_error& error) {
    said = error.what();
  }
  co_return said;
}

TEST(BlockingTest, AnExceptionComesOutOfTheAwait) {
  Harness harness;

  EXPECT_EQ(harness.run(what_it_throws()), "the quay is closed");
}

Task<std::string> keep(std::shared_ptr<std::string> text) {
  StatusOr<std::string> result =
      co_await run_blocking([](const std::shared_ptr<std::string>& given) { return *given; }, text);
  co_return *result;
}

Task<int> move_only(std::unique_ptr<int> number) {
  StatusOr<int> result = co_await run_blocking([](std::unique_ptr<int> given) { return *given; }, std::move(number));
  co_return *result;
}

TEST(BlockingTest, AnArgumentMayBeMovableOnly) {
  Harness harness;

  EXPECT_EQ(harness.run(move_only(std::make_unique<int>(9))), 9);
}

TEST(BlockingTest, ArgumentsAreMovedInAndDestroyedOnce) {
  Harness harness;
  auto text = std::make_shared<std::string>("a string that is too long to stand in the object");

  EXPECT_EQ(harness.run(keep(text)), *text);
  EXPECT_EQ(text.use_count(), 1);
}

Task<void> gate_task(Gates& gates, Status& ended) {
  StatusOr<int> result = co_await run_blocking(gates.gate());
  ended = result.status();
}

Task<void> others_go_on(Gates& gates, Status& ended) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(gate_task(gates, ended));
    co_await test::next_turn();  // the reactor turns meanwhile
    gates.open.release();
  });
}

TEST(BlockingTest, TheReactorGoesOnMeanwhile) {
  Harness harness;
  Gates gates;
  Status ended = make_status(StatusCode::kUnknown, "");
  harness.run(others_go_on(gates, ended));

  EXPECT_TRUE(ended.ok()) << ended;
}

Task<void> stop_waiting_ones(Gates& gates, std::vector<Status>& ended) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(gate_task(gates, ended[0]));
    scope.spawn(gate_task(gates, ended[1]));
    co_await coro::yield();
    gates.begun.acquire();  // the one thread has the first
    scope.cancel();
    gates.open.release();
  });
}

TEST(BlockingTest, AStopEndsWhatHasNotBegunAndWaitsForWhatHas) {
  Harness harness({.blocking_threads_max = 1});
  Gates gates;
  std::vector<Status> ended(2);
  harness.run(stop_waiting_ones(gates, ended));

  EXPECT_TRUE(ended[0].ok()) << ended[0];
  EXPECT_EQ(ended[1].code(), StatusCode::kCancelled) << ended[1];
  EXPECT_FALSE(gates.begun.try_acquire());  // the second never began
}

TEST(BlockingTest, AStoppedTaskBeginsNothing) {
  Harness harness;
  harness.reactor().request_stop();

  EXPECT_EQ(harness.run(where()).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(thread_count(harness), 0U);
}

Task<void> too_many(Gates& gates, std::vector<Status>& ended) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(gate_task(gates, ended[0]));
    co_await coro::yield();
    gates.begun.acquire();
    for (std::size_t i = 1; i < ended.size(); ++i) scope.spawn(gate_task(gates, ended[i]));
    co_await coro::yield();
    gates.open.release(8);
  });
}

TEST(BlockingTest, AFullQueueRefusesAndSaysSo) {
  Harness harness({.blocking_threads_max = 1, .blocking_queue_max = 2});
  Gates gates;
  std::vector<Status> ended(4);
  harness.run(too_many(gates, ended));

  EXPECT_TRUE(ended[0].ok() && ended[1].ok() && ended[2].ok());
  EXPECT_EQ(ended[3].code(), StatusCode::kResourceExhausted) << ended[3];
}

TEST(BlockingTest, WithoutThreadsItIsRefused) {
  Harness harness({.blocking_threads_max = 0});

  EXPECT_EQ(harness.run(where()).status().code(), StatusCode::kResourceExhausted);
}

Task<pid_t> which() {
  StatusOr<pid_t> thread = co_await run_blocking([] { return ::gettid(); });
  co_return *thread;
}

TEST(BlockingTest, ThreadsStartAtTheFirstUseAndEndWithTheReactor) {
  pid_t thread = 0;
  {
    Harness harness({.backend = BackendKind::kEpoll});
    EXPECT_EQ(thread_count(harness), 0U);
    thread = harness.run(which());
    EXPECT_EQ(thread_count(harness), 1U);
    EXPECT_TRUE(lives(thread));
  }

  const test::Watchdog watchdog;          // the harness has ended its own
  while (lives(thread)) ::sched_yield();  // the kernel forgets it a moment after it was joined
}

Task<void> many(std::atomic<int>& count) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    for (int i = 0; i < 500; ++i) {
      scope.spawn(
          [](std::atomic<int>& sum) -> Task<void> {
            Status done = co_await run_blocking([&sum] { ++sum; });
            EXPECT_TRUE(done.ok()) << done;
          },
          std::ref(count));
    }
    co_return;
  });
}

TEST(BlockingTest, ManyFunctionsAllRunOnce) {
  Harness harness;
  std::atomic<int> count{0};
  harness.run(many(count));

  EXPECT_EQ(count.load(), 500);
}

}  // namespace
}  // namespace wharf::runtime
