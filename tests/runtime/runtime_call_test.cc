// Runtime::call_on: a task of another reactor, awaited.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "wharf/runtime/runtime.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/make_runtime.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::make_runtime;
using test::Watchdog;

Task<StatusOr<std::uint32_t>> where(std::unique_ptr<int> number) {
  co_await coro::yield();
  co_return Runtime::current_index() * 100 + static_cast<std::uint32_t>(*number);
}

Task<Status> ask_where(Runtime& runtime, std::uint32_t index) {
  StatusOr<std::uint32_t> place = co_await runtime.call_on(index, where, std::make_unique<int>(7));
  EXPECT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(*place, index * 100 + 7);
  EXPECT_EQ(Runtime::current_index(), 0U);
  co_return absl::OkStatus();
}

TEST(RuntimeCallTest, ItsTaskRunsThereAndTheResultComesBack) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);

  EXPECT_TRUE(runtime->run(ask_where(*runtime, 1)).ok());
}

TEST(RuntimeCallTest, AReactorMayCallItself) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(1);

  EXPECT_TRUE(runtime->run(ask_where(*runtime, 0)).ok());
}

Task<Status> fail() { co_return make_status(StatusCode::kNotFound, "no such berth"); }

TEST(RuntimeCallTest, AnErrorIsTheCallersAndDoesNotStopTheRuntime) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);

  const Status ended = runtime->run([](Runtime& all) -> Task<Status> {
    Status failed = co_await all.call_on(1, fail);
    EXPECT_EQ(failed.code(), StatusCode::kNotFound);
    Status again = co_await ask_where(all, 1);
    co_return again;
  }(*runtime));

  EXPECT_TRUE(ended.ok()) << ended;
}

Task<Status> mutiny() {
  co_await coro::yield();
  throw std::runtime_error("mutiny");
}

TEST(RuntimeCallTest, AnExceptionIsThrownAtTheCaller) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);

  const Status ended = runtime->run([](Runtime& all) -> Task<Status> {
    std::string caught;
    try {
      Status never = co_await all.call_on(1, mutiny);
      caught = never.ToString();
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    EXPECT_EQ(caught, "mutiny");
    co_return absl::OkStatus();
  }(*runtime));

  EXPECT_TRUE(ended.ok()) << ended;
}

Task<Status> wait_for_the_stop(std::atomic<int>* stopped) {
  const bool elapsed = co_await sleep_until(kNever);
  EXPECT_FALSE(elapsed);
  ++*stopped;
  co_return make_status(StatusCode::kCancelled, "stopped");
}

Task<Status> call_and_wait(Runtime& runtime, std::atomic<int>& stopped) {
  Status ended = co_await runtime.call_on(1, wait_for_the_stop, &stopped);
  co_return ended;
}

TEST(RuntimeCallTest, AStopOfTheCallerReachesTheTaskWhichIsJoined) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);
  std::atomic<int> stopped{0};

  const Status ended = runtime->run([](Runtime& all, std::atomic<int>& count) -> Task<Status> {
    for (int i = 0; i < 200; ++i) {
      Status late = co_await with_timeout(std::chrono::microseconds(i), call_and_wait(all, count));
      EXPECT_EQ(late.code(), StatusCode::kDeadlineExceeded) << late;
    }
    co_return absl::OkStatus();
  }(*runtime, stopped));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_LE(stopped, 200);
}

Task<StatusOr<std::int64_t>> budget() {
  std::int64_t deadline_ns = co_await coro::deadline_ns();
  co_return deadline_ns;
}

Task<Status> check_budget(Runtime& runtime) {
  std::int64_t here_ns = co_await coro::deadline_ns();
  StatusOr<std::int64_t> there_ns = co_await runtime.call_on(1, budget);
  EXPECT_NE(here_ns, kNever);
  EXPECT_EQ(*there_ns, here_ns);
  co_return absl::OkStatus();
}

TEST(RuntimeCallTest, TheCallersDeadlineGoesWithTheCall) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);

  const Status ended = runtime->run([](Runtime& all) -> Task<Status> {
    Status checked = co_await with_timeout(std::chrono::hours(1), check_budget(all));
    co_return checked;
  }(*runtime));

  EXPECT_TRUE(ended.ok()) << ended;
}

Task<Status> stop_while_called(Runtime* runtime) {
  runtime->request_stop();
  const bool elapsed = co_await sleep_until(kNever);
  EXPECT_FALSE(elapsed);
  // Both reactors are stopping, and still there.
  Status refused = co_await runtime->call_on(0, fail);
  EXPECT_EQ(refused.code(), StatusCode::kCancelled) << refused;
  co_return absl::OkStatus();
}

TEST(RuntimeCallTest, OnceTheRuntimeStopsACallIsRefused) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);

  const Status ended = runtime->run([](Runtime& all) -> Task<Status> {
    Status called = co_await all.call_on(1, stop_while_called, &all);
    co_return called;
  }(*runtime));

  EXPECT_TRUE(ended.ok() || ended.code() == StatusCode::kCancelled) << ended;
}

}  // namespace
}  // namespace wharf::runtime
