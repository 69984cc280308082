#include "wharf/runtime/stall_detector.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using std::chrono::milliseconds;
using test::Harness;

// Keeps the thread until somebody has reported that.
void hold_until(const std::atomic<int>& reports, int count) {
  while (reports.load() < count) std::this_thread::yield();
}

Task<void> hold(const std::atomic<int>& reports, int count) {
  co_await coro::yield();
  hold_until(reports, count);
}

struct Seen {
  Stall first;
  Stall latest;
  std::atomic<int> count{0};

  StallDetector::Report report() {
    return [this](const Stall& stall) {
      (count.load() == 0 ? first : latest) = stall;
      count.fetch_add(1);
    };
  }
};

TEST(StallDetectorTest, ATaskThatHoldsTheReactorUpIsNamedWhileItDoes) {
  Harness harness;
  Seen seen;
  const StallDetector detector(harness.reactor(), milliseconds(2), seen.report());

  harness.run(hold(seen.count, 1));

  EXPECT_GE(seen.first.held_ns, 2'000'000);
  EXPECT_EQ(seen.first.turn, harness.reactor().counters().turns);
#if WHARF_TASK_TRACE
  EXPECT_NE(std::string(seen.first.where.function_name()).find("hold("), std::string::npos);
  EXPECT_NE(std::string(seen.first.where.file_name()).find("stall_detector_test.cc"), std::string::npos);
#endif
}

TEST(StallDetectorTest, AStallThatGoesOnIsReportedAgain) {
  Harness harness;
  Seen seen;
  const StallDetector detector(harness.reactor(), milliseconds(1), seen.report());

  harness.run(hold(seen.count, 2));

  EXPECT_GE(seen.latest.held_ns, 2 * seen.first.held_ns);
  EXPECT_EQ(seen.latest.turn, seen.first.turn);
}

TEST(StallDetectorTest, WhatWasPostedIsNoTask) {
  Harness harness;
  Seen seen;
  const StallDetector detector(harness.reactor(), milliseconds(2), seen.report());
  const auto main = [](Reactor& reactor, const std::atomic<int>& reports) -> Task<void> {
    reactor.post([&reports] { hold_until(reports, 1); });
    co_await test::next_turn();
  };

  harness.run(main(harness.reactor(), seen.count));

  EXPECT_EQ(seen.first.where.line(), 0U);
}

TEST(StallDetectorTest, ASleepingReactorIsNotHeldUp) {
  auto backend = std::make_unique<test::FakeBackend>();
  test::FakeBackend& kernel = *backend;
  const auto reactor = Reactor::create_on(std::move(backend));
  std::uint64_t asleep = 1;
  std::uint64_t awake = 0;
  kernel.on_sleep = [&](std::int64_t deadline_ns) {
    asleep = reactor->pulse();
    kernel.clock_ns = deadline_ns;
  };
  const auto main = [](const Reactor& own, std::uint64_t& pulse) -> Task<void> {
    static_cast<void>(co_await sleep_for(milliseconds(1)));
    pulse = own.pulse();
  };

  reactor->run(main(*reactor, awake));

  EXPECT_EQ(asleep % 2, 0U);
  EXPECT_EQ(awake % 2, 1U);
}

TEST(StallDetectorTest, AReactorThatDoesNotRunIsNotHeldUp) {
  Harness harness;
  const auto main = []() -> Task<void> { co_return; };

  EXPECT_EQ(harness.reactor().pulse() % 2, 0U);
  harness.run(main());
  EXPECT_EQ(harness.reactor().pulse() % 2, 0U);
}

TEST(StallDetectorTest, ADetectorMayGoWhileTheReactorRuns) {
  Harness harness;
  const auto main = [](Reactor& reactor) -> Task<void> {
    Seen seen;
    {
      const StallDetector detector(reactor, milliseconds(1), seen.report());
      hold_until(seen.count, 1);
    }
    const int reports = seen.count.load();
    co_await test::next_turn();
    EXPECT_EQ(seen.count.load(), reports);
  };

  harness.run(main(harness.reactor()));
}

TEST(StallTextTest, SaysHowLongAndWhoRuns) {
  const auto here = std::source_location::current();

  const std::string text = stall_text({.held_ns = 62'500'000, .turn = 7, .where = here});

  EXPECT_EQ(text.find("a turn has taken 62.5 ms; now runs "), 0U) << text;
#if WHARF_TASK_TRACE
  EXPECT_NE(text.find("stall_detector_test.cc:" + std::to_string(here.line())), std::string::npos) << text;
  EXPECT_EQ(stall_text({.held_ns = 1'000'000}), "a turn has taken 1 ms; now runs no task");
#endif
}

TEST(StallTextTest, PrintsOneLineInASecond) {
  testing::internal::CaptureStderr();
  const std::int64_t begin_ns = now_ns();

  for (int i = 0; i < 100; ++i) print_stall({.held_ns = 1'000'000});

  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 1 + (now_ns() - begin_ns) / 1'000'000'000);
}

}  // namespace
}  // namespace wharf::runtime
