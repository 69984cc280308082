#include "wharf/runtime/runtime.h"

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/cpus.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/make_runtime.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::make_runtime;
using test::Watchdog;

Task<Status> succeed() { co_return absl::OkStatus(); }

TEST(RuntimeTest, OneReactorRunsMainOnTheCallersThread) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(1);
  std::thread::id ran_on;

  const Status ended = runtime->run([](std::thread::id& thread) -> Task<Status> {
    thread = std::this_thread::get_id();
    EXPECT_EQ(Runtime::current_index(), 0U);
    co_return absl::OkStatus();
  }(ran_on));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

using Seen = SharedChannel<std::pair<std::uint32_t, std::thread::id>>;

Task<void> tell_where(Seen& seen) {
  bool sent = co_await seen.send({Runtime::current_index(), std::this_thread::get_id()});
  EXPECT_TRUE(sent);
}

Task<Status> ask_each(Runtime& runtime, Seen& seen, std::set<std::uint32_t>& indices,
                      std::set<std::thread::id>& threads) {
  for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
    runtime.spawn_on(i, [](Seen* channel) -> Task<void> { co_await tell_where(*channel); }, &seen);
  }
  for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
    auto place = co_await seen.receive();
    indices.insert(place->first);
    threads.insert(place->second);
  }
  co_return absl::OkStatus();
}

TEST(RuntimeTest, EachReactorHasAThread) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(4);
  Seen seen(1);
  std::set<std::uint32_t> indices;
  std::set<std::thread::id> threads;

  const Status ended = runtime->run(ask_each(*runtime, seen, indices, threads));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(indices, (std::set<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(threads.size(), 4U);
}

TEST(RuntimeTest, ZeroReactorsMeansOneForEachCpu) {
  EXPECT_EQ(make_runtime(0)->reactor_count(), allowed_cpus().size());
}

TEST(RuntimeTest, OneThatNeverRanIsStoppedByItsDestructor) {
  const Watchdog watchdog;
  std::atomic<bool> ended{false};
  {
    const auto runtime = make_runtime(2);
    runtime->spawn_on(
        1,
        [](std::atomic<bool>* flag) -> Task<void> {
          co_await sleep_until(kNever);
          *flag = true;
        },
        &ended);
  }
  SUCCEED() << "the task was stopped, or never started: " << ended;
}

TEST(RuntimeTest, MoveOnlyArgumentsArriveAndDieOnThatThread) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);
  SharedChannel<int> channel(1);

  const Status ended = runtime->run([](Runtime& all, SharedChannel<int>& to) -> Task<Status> {
    all.spawn_on(
        1,
        [](SharedChannel<int>* out, std::unique_ptr<int> number) -> Task<void> {
          bool sent = co_await out->send(*number);
          EXPECT_TRUE(sent);
        },
        &to, std::make_unique<int>(7));
    std::optional<int> number = co_await to.receive();
    EXPECT_EQ(number, 7);
    co_return absl::OkStatus();
  }(*runtime, channel));

  EXPECT_TRUE(ended.ok()) << ended;
}

TEST(RuntimeTest, SpawnOnEachStartsOneOnEveryReactor) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(3);
  Seen seen(3);
  std::set<std::uint32_t> indices;

  const Status ended = runtime->run([](Runtime& all, Seen& from, std::set<std::uint32_t>& into) -> Task<Status> {
    all.spawn_on_each([](Seen* channel) -> Task<void> { co_await tell_where(*channel); }, &from);
    for (int i = 0; i < 3; ++i) {
      auto place = co_await from.receive();
      into.insert(place->first);
    }
    co_return absl::OkStatus();
  }(*runtime, seen, indices));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(indices.size(), 3U);
}

TEST(RuntimeTest, APostedFunctionRunsOnItsReactorsThread) {
  const Watchdog watchdog;
  const auto runtime = make_runtime(2);
  SharedChannel<std::uint32_t> channel(1);

  const Status ended = runtime->run([](Runtime& all, SharedChannel<std::uint32_t>& from) -> Task<Status> {
    all.post(1, [&from] { EXPECT_TRUE(from.try_send(Runtime::current_index())); });
    std::optional<std::uint32_t> index = co_await from.receive();
    EXPECT_EQ(index, 1U);
    co_return absl::OkStatus();
  }(*runtime, channel));

  EXPECT_TRUE(ended.ok()) << ended;
}

struct Place {
  std::string name;
  std::vector<int> cpus;
  bool sigterm_blocked = false;
};

Place describe_thread() {
  Place place;
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof(name));
  place.name = name;
  place.cpus = allowed_cpus();
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  place.sigterm_blocked = sigismember(&mask, SIGTERM) == 1;
  return place;
}

Place place_of_reactor_1(RuntimeOptions options) {
  const auto runtime = make_runtime(std::move(options));
  SharedChannel<Place> channel(1);
  Place seen;
  const Status ended = runtime->run([](Runtime& all, SharedChannel<Place>& from, Place& into) -> Task<Status> {
    all.post(1, [&from] { EXPECT_TRUE(from.try_send(describe_thread())); });
    std::optional<Place> place = co_await from.receive();
    into = *std::move(place);
    co_return absl::OkStatus();
  }(*runtime, channel, seen));
  EXPECT_TRUE(ended.ok()) << ended;
  return seen;
}

TEST(RuntimeTest, ItsThreadsHaveNamesAndNoSignals) {
  const Place place = place_of_reactor_1({.reactor_count = 2, .thread_name = "quay"});

  EXPECT_EQ(place.name, "quay/1");
  EXPECT_TRUE(place.sigterm_blocked);
}

TEST(RuntimeTest, ALongThreadNameIsCutAndKeepsItsNumber) {
  EXPECT_EQ(place_of_reactor_1({.reactor_count = 2, .thread_name = "harbour_master_s"}).name, "harbour_maste/1");
}

TEST(RuntimeTest, ThreadsStayOnTheCpusThatTheyAreGiven) {
  const int cpu = allowed_cpus().back();

  EXPECT_EQ(place_of_reactor_1({.reactor_count = 2, .cpus = {cpu}}).cpus, std::vector<int>{cpu});
}

TEST(RuntimeTest, TheCallersThreadIsPinnedOnlyWhileItRuns) {
  const std::vector<int> before = allowed_cpus();
  const auto runtime = make_runtime({.cpus = {before[0]}});

  const Status ended = runtime->run([](int cpu) -> Task<Status> {
    EXPECT_EQ(allowed_cpus(), std::vector<int>{cpu});
    co_return absl::OkStatus();
  }(before[0]));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(allowed_cpus(), before);
}

TEST(RuntimeTest, ACpuThatIsNotThereIsRefusedWithTheReactorsNumber) {
  const auto runtime = Runtime::create({.reactor_count = 2, .cpus = {allowed_cpus()[0], 60'000}});

  EXPECT_EQ(runtime.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(runtime.status().message().substr(0, 10), "reactor 1:");
}

TEST(RuntimeTest, OptionsOfTheReactorsAreChecked) {
  const auto runtime = Runtime::create({.reactor_count = 2, .reactor = {.turn_budget_frames = 0}});

  EXPECT_EQ(runtime.status().code(), StatusCode::kInvalidArgument);
}

TEST(RuntimeTest, TooManyReactorsAreRefused) {
  EXPECT_EQ(Runtime::create({.reactor_count = 1025}).status().code(), StatusCode::kInvalidArgument);
}

TEST(RuntimeTest, PostsAfterItsEndAreDropped) {
  std::shared_ptr<PostGate> gate;
  {
    const auto runtime = make_runtime(2);
    gate = runtime->gate(1);
    EXPECT_TRUE(runtime->run(succeed()).ok());
  }
  struct Dropped final : Posted {
    explicit Dropped(int& count_of) : count(count_of) {}
    void run() noexcept override { ADD_FAILURE() << "it ran"; }
    void drop() noexcept override { ++count; }
    int& count;
  };
  int count = 0;
  Dropped work(count);

  gate->post(work);

  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace wharf::runtime
