// with_deadline, stop_after and stop_at, and the budget that they set for what runs below: runtime/timeout.h.
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/coro/shield.h"
#include "wharf/coro/when_all.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/fake_backend.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using std::chrono::milliseconds;

constexpr std::int64_t kMs = 1'000'000;

// Time passes only in sleeps.
class DeadlineTest : public ::testing::Test {
 protected:
  DeadlineTest() {
    auto backend = std::make_unique<test::FakeBackend>();
    kernel_ = backend.get();
    kernel_->on_sleep = [this](std::int64_t deadline_ns) { kernel_->clock_ns = deadline_ns; };
    reactor_ = Reactor::create_on(std::move(backend));
    start_ns_ = kernel_->clock_ns;
  }
  template <class T>
  T run(Task<T> task) {
    return reactor_->run(std::move(task));
  }
  std::int64_t passed_ns() const { return kernel_->clock_ns - start_ns_; }

  test::FakeBackend* kernel_ = nullptr;
  std::unique_ptr<Reactor> reactor_;
  std::int64_t start_ns_ = 0;
};

Task<Status> work(milliseconds duration) {
  const bool elapsed = co_await sleep_for(duration);
  if (!elapsed) co_return make_status(StatusCode::kCancelled, "work: stopped");
  co_return absl::OkStatus();
}

Task<Status> work_until(std::int64_t deadline_ns, milliseconds duration) {
  Status result = co_await with_deadline(deadline_ns, work(duration));
  co_return result;
}

TEST_F(DeadlineTest, ATaskBeforeItsDeadlineGivesItsOwnResult) {
  EXPECT_TRUE(run(work_until(start_ns_ + 5 * kMs, milliseconds(2))).ok());
  EXPECT_EQ(passed_ns(), 2 * kMs);
}

TEST_F(DeadlineTest, ATaskAtItsDeadlineIsStoppedAndTheResultSaysWhy) {
  const Status result = run(work_until(start_ns_ + 5 * kMs, milliseconds(50)));

  EXPECT_EQ(result.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(result.message(), "with_deadline: the deadline has passed");
  EXPECT_EQ(passed_ns(), 5 * kMs);
}

TEST_F(DeadlineTest, ADeadlineThatHasPassedLeavesNoTimeAtAll) {
  EXPECT_EQ(run(work_until(start_ns_ - 1, milliseconds(50))).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(passed_ns(), 0);
}

TEST_F(DeadlineTest, NeverIsNoLimit) { EXPECT_TRUE(run(work_until(kNever, milliseconds(50))).ok()); }

Task<StatusOr<int>> answer(milliseconds duration) {
  const Status worked = co_await work(duration);
  if (!worked.ok()) co_return worked;
  co_return 7;
}

Task<StatusOr<int>> answer_until(std::int64_t deadline_ns, milliseconds duration) {
  StatusOr<int> result = co_await with_deadline(deadline_ns, answer(duration));
  co_return result;
}

TEST_F(DeadlineTest, ValuesPassThrough) {
  EXPECT_EQ(*run(answer_until(start_ns_ + 5 * kMs, milliseconds(2))), 7);
  EXPECT_EQ(run(answer_until(start_ns_ + 5 * kMs, milliseconds(9))).status().code(), StatusCode::kDeadlineExceeded);
}

Task<int> count_sleeps() {
  int count = 0;
  for (;;) {
    const bool elapsed = co_await sleep_for(milliseconds(1));
    if (!elapsed) co_return count;
    ++count;
    if (count == 100) co_return count;
  }
}

Task<Timed<int>> count_for(milliseconds duration) {
  Timed<int> counted = co_await stop_after(duration, count_sleeps());
  co_return counted;
}

TEST_F(DeadlineTest, StopAfterGivesWhatTheTaskHadAndThatItsTimeWasUp) {
  const Timed<int> counted = run(count_for(std::chrono::milliseconds(10)));

  EXPECT_TRUE(counted.expired);
  EXPECT_GE(counted.value, 9);
  EXPECT_LE(counted.value, 10);
}

TEST_F(DeadlineTest, StopAfterSaysIfTheTaskWasInTime) {
  const Timed<int> counted = run(count_for(std::chrono::milliseconds(1000)));

  EXPECT_FALSE(counted.expired);
  EXPECT_EQ(counted.value, 100);
}

Task<void> sleep_long() { co_await sleep_for(milliseconds(100)); }

Task<bool> expired_at(std::int64_t deadline_ns) {
  Timed<void> slept = co_await stop_at(deadline_ns, sleep_long());
  co_return slept.expired;
}

TEST_F(DeadlineTest, StopAtTakesTasksWithoutAResult) {
  EXPECT_TRUE(run(expired_at(start_ns_ + kMs)));
  EXPECT_FALSE(run(expired_at(kNever)));
}

Task<Status> note_budget(std::int64_t& seen_ns) {
  seen_ns = co_await coro::deadline_ns();
  co_return absl::OkStatus();
}

Task<Status> one_deeper(std::int64_t& seen_ns) {
  Status result = co_await note_budget(seen_ns);
  co_return result;
}

Task<std::int64_t> budget_under(std::int64_t deadline_ns) {
  std::int64_t seen_ns = 0;
  Status noted = co_await with_deadline(deadline_ns, one_deeper(seen_ns));
  EXPECT_TRUE(noted.ok());
  co_return seen_ns;
}

TEST_F(DeadlineTest, WhatRunsBelowSeesTheDeadline) {
  EXPECT_EQ(run(budget_under(start_ns_ + 5 * kMs)), start_ns_ + 5 * kMs);
}

Task<std::int64_t> budget_of_nobody() {
  std::int64_t seen_ns = 0;
  Status noted = co_await note_budget(seen_ns);
  EXPECT_TRUE(noted.ok());
  co_return seen_ns;
}

TEST_F(DeadlineTest, WithoutADeadlineAboveThereIsNone) { EXPECT_EQ(run(budget_of_nobody()), coro::kNoDeadline); }

Task<Status> longer_inside(std::int64_t& seen_ns) {
  Status result = co_await with_timeout(milliseconds(50), note_budget(seen_ns));
  co_return result;
}

// What `task` notes when it has 5 ms.
Task<std::int64_t> budget_of(Task<Status> (*task)(std::int64_t& seen_ns)) {
  std::int64_t seen_ns = 0;
  Status noted = co_await with_timeout(milliseconds(5), task(seen_ns));
  EXPECT_TRUE(noted.ok());
  co_return seen_ns;
}

TEST_F(DeadlineTest, ALongerTimeInsideAShorterOneDoesNotExtendIt) {
  EXPECT_EQ(run(budget_of(longer_inside)), start_ns_ + 5 * kMs);
}

Task<Status> through_all(std::int64_t& seen_ns) {
  auto both = co_await coro::when_all(note_budget(seen_ns), work(milliseconds(1)));
  co_return std::get<0>(both);
}

TEST_F(DeadlineTest, TasksThatRunSideBySideShareTheBudget) {
  EXPECT_EQ(run(budget_of(through_all)), start_ns_ + 5 * kMs);
}

Task<void> note_in_scope(std::int64_t& seen_ns) { seen_ns = co_await coro::deadline_ns(); }

Task<Status> through_scope(std::int64_t& seen_ns) {
  co_await coro::with_scope([&](coro::Scope& scope) -> Task<void> {
    scope.spawn(note_in_scope(seen_ns));
    co_return;
  });
  co_return absl::OkStatus();
}

TEST_F(DeadlineTest, TheChildrenOfAScopeShareTheBudget) {
  EXPECT_EQ(run(budget_of(through_scope)), start_ns_ + 5 * kMs);
}

Task<Status> through_shield(std::int64_t& seen_ns) {
  Status result = co_await coro::shield(note_budget(seen_ns));
  co_return result;
}

TEST_F(DeadlineTest, WhatIsShieldedHasAllTheTimeItNeeds) {
  EXPECT_EQ(run(budget_of(through_shield)), coro::kNoDeadline);
}

}  // namespace
}  // namespace wharf::runtime
