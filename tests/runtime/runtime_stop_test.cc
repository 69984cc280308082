// How a Runtime ends: by its main task, by an error, by request, and late.
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/runtime/runtime.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/make_runtime.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::make_runtime;
using test::Watchdog;

// Waits until it is stopped; says so.
Task<Status> wait_for_the_stop(std::atomic<int>* stopped) {
  const bool elapsed = co_await sleep_until(kNever);
  EXPECT_FALSE(elapsed);
  ++*stopped;
  co_return make_status(StatusCode::kCancelled, "stopped");
}

// Ends when `count` tasks have started.
Task<void> count_down(SharedChannel<int>& started, int count) {
  for (int i = 0; i < count; ++i) {
    std::optional<int> one = co_await started.receive();
    EXPECT_TRUE(one.has_value());
  }
}

Task<Status> start_and_wait(SharedChannel<int>* started, std::atomic<int>* stopped) {
  bool sent = co_await started->send(1);
  EXPECT_TRUE(sent);
  Status ended = co_await wait_for_the_stop(stopped);
  co_return ended;
}

TEST(RuntimeStopTest, TheEndOfMainStopsAndJoinsEveryTask) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 3});
  SharedChannel<int> started(3);
  std::atomic<int> stopped{0};

  const Status ended =
      runtime->run([](Runtime& all, SharedChannel<int>& channel, std::atomic<int>& count) -> Task<Status> {
        all.spawn_on_each(start_and_wait, &channel, &count);
        co_await count_down(channel, 3);
        co_return absl::OkStatus();
      }(*runtime, started, stopped));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(stopped, 3);
}

TEST(RuntimeStopTest, TheFirstErrorStopsAllAndIsTheResult) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 3});
  SharedChannel<int> started(3);
  std::atomic<int> stopped{0};

  const Status ended =
      runtime->run([](Runtime& all, SharedChannel<int>& channel, std::atomic<int>& count) -> Task<Status> {
        all.spawn_on_each(start_and_wait, &channel, &count);
        co_await count_down(channel, 3);
        all.spawn_on(2, []() -> Task<Status> { co_return make_status(StatusCode::kDataLoss, "the hold is wet"); });
        Status main = co_await wait_for_the_stop(&count);
        co_return main;
      }(*runtime, started, stopped));

  EXPECT_EQ(ended.code(), StatusCode::kDataLoss) << ended;
  EXPECT_EQ(stopped, 4);
}

TEST(RuntimeStopTest, AnExceptionOfATaskStopsAllAndIsThrown) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 2});
  std::atomic<int> stopped{0};

  EXPECT_THROW(static_cast<void>(runtime->run([](Runtime& all, std::atomic<int>& count) -> Task<Status> {
                 all.spawn_on(1, []() -> Task<void> {
                   co_await coro::yield();
                   throw std::runtime_error("mutiny");
                 });
                 Status main = co_await wait_for_the_stop(&count);
                 co_return main;
               }(*runtime, stopped))),
               std::runtime_error);
  EXPECT_EQ(stopped, 1);
}

TEST(RuntimeStopTest, AnErrorOfMainIsTheResult) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 2});

  const Status ended = runtime->run([]() -> Task<Status> { co_return make_status(StatusCode::kAborted, "no wind"); }());

  EXPECT_EQ(ended.code(), StatusCode::kAborted);
}

TEST(RuntimeStopTest, AnotherThreadMayAskForTheStop) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 2});
  std::atomic<int> stopped{0};
  std::thread asker([&runtime] { runtime->request_stop(); });

  const Status ended = runtime->run(wait_for_the_stop(&stopped));
  asker.join();

  EXPECT_EQ(ended.code(), StatusCode::kCancelled) << ended;
  EXPECT_EQ(stopped, 1);
}

TEST(RuntimeStopTest, AStopOfOneReactorIsAStopOfAll) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 2});
  std::atomic<int> stopped{0};

  const Status ended = runtime->run([](Runtime& all, std::atomic<int>& count) -> Task<Status> {
    all.post(1, [] { Reactor::current().request_stop(); });
    Status main = co_await wait_for_the_stop(&count);
    co_return main;
  }(*runtime, stopped));

  EXPECT_EQ(ended.code(), StatusCode::kCancelled);
}

Task<Status> spawn_when_stopped(Runtime* runtime, std::atomic<int>* spawned) {
  co_await sleep_until(kNever);
  runtime->spawn_on(
      0,
      [](std::atomic<int>* count) -> Task<void> {
        ++*count;
        co_return;
      },
      spawned);
  co_return absl::OkStatus();
}

TEST(RuntimeStopTest, NothingIsStartedOnceItStops) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 2});
  std::atomic<int> spawned{0};
  runtime->spawn_on(1, spawn_when_stopped, runtime.get(), &spawned);

  const Status ended = runtime->run([]() -> Task<Status> { co_return absl::OkStatus(); }());

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(spawned, 0);
}

// Reactor 0 has no task left when reactor 1 still needs it.
TEST(RuntimeStopTest, AReactorIsThereUntilTheLastTaskOfAllHasEnded) {
  const Watchdog watchdog;
  const auto runtime = make_runtime({.reactor_count = 2});
  SharedChannel<int> started(1);

  const Status ended = runtime->run([](Runtime& all, SharedChannel<int>& channel) -> Task<Status> {
    all.spawn_on(
        1,
        [](Runtime* runtime_of, SharedChannel<int>* signal) -> Task<void> {
          bool sent = co_await signal->send(1);
          EXPECT_TRUE(sent);
          co_await sleep_until(kNever);
          std::atomic<bool> answered{false};
          runtime_of->post(0, [&answered] { answered = true; });
          while (!answered) co_await coro::yield();
        },
        &all, &channel);
    co_await count_down(channel, 1);
    co_return absl::OkStatus();
  }(*runtime, started));

  EXPECT_TRUE(ended.ok()) << ended;
}

// What a task that ignores the stop waits for, and what the runtime said of it.
struct Stubborn {
  std::atomic<bool> let_go{false};
  std::mutex mutex;
  std::optional<LateStop> late;

  RuntimeOptions options(std::chrono::milliseconds limit = std::chrono::milliseconds(100)) {
    return {.reactor_count = 2, .stop_limit = limit, .on_late = [this](const LateStop& said) {
              {
                const std::lock_guard lock(mutex);
                late = said;
              }
              let_go = true;
            }};
  }
};

Task<void> ignore_the_stop(Stubborn* stubborn, SharedChannel<int>* started) {
  bool sent = co_await started->send(1);
  EXPECT_TRUE(sent);
  while (!stubborn->let_go) co_await coro::yield();
}

Task<Status> start_on_1(Runtime& runtime, Task<void> (*function)(Stubborn*, SharedChannel<int>*), Stubborn& stubborn,
                        SharedChannel<int>& started) {
  runtime.spawn_on(1, function, &stubborn, &started);
  co_await count_down(started, 1);
  co_return absl::OkStatus();
}

// Whether reactor 1 had the processor between the stop and its limit, and then to say what it runs.
bool had_its_time(const LateStop::Late& late) {
#if WHARF_TASK_TRACE
  if (late.tasks.empty()) return false;
#endif
  return !late.blocked;
}

TEST(RuntimeStopTest, TasksThatIgnoreTheStopAreCountedAndWaitedFor) {
  const Watchdog watchdog;
  // Of a reactor that had no time to look it is said that a task blocks it: then it is given more.
  for (auto limit = std::chrono::milliseconds(100);; limit *= 2) {
    Stubborn stubborn;
    const auto runtime = make_runtime(stubborn.options(limit));
    SharedChannel<int> started(1);

    const Status ended = runtime->run(start_on_1(*runtime, ignore_the_stop, stubborn, started));

    ASSERT_TRUE(stubborn.late.has_value());
    // On a busy machine reactor 0 may be late, too.
    const LateStop::Late& late = stubborn.late->reactors.back();
    if (!had_its_time(late)) continue;
    EXPECT_EQ(ended.code(), StatusCode::kDeadlineExceeded);
    EXPECT_EQ(ended.message(), "runtime: " + stubborn.late->to_string());
    EXPECT_TRUE(std::string(ended.message()).ends_with("reactor 1 still runs 1 task")) << ended;
    EXPECT_EQ(stubborn.late->waited, limit);
    EXPECT_EQ(late.reactor_index, 1U);
    EXPECT_EQ(late.task_count, 1U);
#if WHARF_TASK_TRACE
    EXPECT_NE(late.tasks.find("ignore_the_stop"), std::string::npos) << late.tasks;
#endif
    return;
  }
}

Task<void> block_the_thread(Stubborn* stubborn, SharedChannel<int>* started) {
  bool sent = co_await started->send(1);
  EXPECT_TRUE(sent);
  while (!stubborn->let_go) std::this_thread::yield();
}

TEST(RuntimeStopTest, ATaskThatBlocksItsThreadIsToldFromOneThatIgnoresTheStop) {
  const Watchdog watchdog;
  Stubborn stubborn;
  const auto runtime = make_runtime(stubborn.options());
  SharedChannel<int> started(1);

  const Status ended = runtime->run(start_on_1(*runtime, block_the_thread, stubborn, started));

  EXPECT_TRUE(std::string(ended.message()).ends_with("reactor 1 is blocked by a task")) << ended;
}

TEST(RuntimeStopTest, AnErrorIsMoreThanALateStop) {
  const Watchdog watchdog;
  Stubborn stubborn;
  const auto runtime = make_runtime(stubborn.options());
  SharedChannel<int> started(1);

  const Status ended = runtime->run([](Runtime& all, Stubborn& keeper, SharedChannel<int>& channel) -> Task<Status> {
    Status ok = co_await start_on_1(all, ignore_the_stop, keeper, channel);
    EXPECT_TRUE(ok.ok());
    co_return make_status(StatusCode::kAborted, "no wind");
  }(*runtime, stubborn, started));

  EXPECT_EQ(ended.code(), StatusCode::kAborted) << ended;
}

TEST(RuntimeStopTest, TheReportIsOneLine) {
  const LateStop late{.waited = std::chrono::seconds(2),
                      .reactors = {{.reactor_index = 1, .task_count = 3, .blocked = false},
                                   {.reactor_index = 2, .task_count = 1, .blocked = true}}};

  EXPECT_EQ(late.to_string(), "2 s after the stop: reactor 1 still runs 3 tasks; reactor 2 is blocked by a task");
}

}  // namespace
}  // namespace wharf::runtime
