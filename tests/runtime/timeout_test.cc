#include "wharf/runtime/timeout.h"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/fake_backend.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using std::chrono::milliseconds;

// Time passes only in sleeps.
class TimeoutTest : public ::testing::Test {
 protected:
  TimeoutTest() {
    auto backend = std::make_unique<test::FakeBackend>();
    kernel_ = backend.get();
    kernel_->on_sleep = [this](std::int64_t deadline_ns) { kernel_->clock_ns = deadline_ns; };
    reactor_ = Reactor::create_on(std::move(backend));
  }
  template <class T>
  T run(Task<T> task) {
    return reactor_->run(std::move(task));
  }

  test::FakeBackend* kernel_ = nullptr;
  std::unique_ptr<Reactor> reactor_;
};

Status cancelled() { return make_status(StatusCode::kCancelled, "work: stopped"); }

Task<Status> work(milliseconds duration) {
  const bool elapsed = co_await sleep_for(duration);
  if (!elapsed) co_return cancelled();
  co_return absl::OkStatus();
}

Task<StatusOr<std::string>> answer(milliseconds duration) {
  const bool elapsed = co_await sleep_for(duration);
  if (!elapsed) co_return cancelled();
  co_return std::string("quay");
}

Task<Status> limited(milliseconds limit, milliseconds duration) {
  Status result = co_await with_timeout(limit, work(duration));
  co_return result;
}

TEST_F(TimeoutTest, ATaskInTimeGivesItsOwnResult) { EXPECT_TRUE(run(limited(milliseconds(5), milliseconds(2))).ok()); }

TEST_F(TimeoutTest, ATaskThatTakesLongerIsStoppedAndTheResultSaysWhy) {
  const std::int64_t before = kernel_->clock_ns;
  const Status result = run(limited(milliseconds(5), milliseconds(50)));

  EXPECT_EQ(result.code(), StatusCode::kDeadlineExceeded) << result;
  EXPECT_EQ(kernel_->clock_ns, before + 5'000'000);
}

Task<StatusOr<std::string>> limited_answer(milliseconds limit, milliseconds duration) {
  StatusOr<std::string> result = co_await with_timeout(limit, answer(duration));
  co_return result;
}

TEST_F(TimeoutTest, ValuesPassThrough) {
  EXPECT_EQ(*run(limited_answer(milliseconds(5), milliseconds(2))), "quay");
  EXPECT_EQ(run(limited_answer(milliseconds(2), milliseconds(5))).status().code(), StatusCode::kDeadlineExceeded);
}

Task<Status> ignore_the_stop(milliseconds duration) {
  const std::int64_t end = Reactor::current().now_ns() + duration.count() * 1'000'000;
  while (Reactor::current().now_ns() < end) {
    co_await sleep_for(milliseconds(1));
    co_await coro::yield();
  }
  co_return absl::OkStatus();
}

Task<Status> limited_stubborn() {
  Status result = co_await with_timeout(milliseconds(1), ignore_the_stop(milliseconds(4)));
  co_return result;
}

TEST_F(TimeoutTest, ATaskThatSucceedsNeverthelessHasSucceeded) {
  kernel_->clock_step_ns = 10'000;  // it does not sleep once it has been stopped

  EXPECT_TRUE(run(limited_stubborn()).ok());
}

Task<Status> fail_on_stop() {
  const bool elapsed = co_await sleep_for(milliseconds(50));
  if (!elapsed) co_return make_status(StatusCode::kDataLoss, "half of it");
  co_return absl::OkStatus();
}

Task<Status> limited_failing() {
  Status result = co_await with_timeout(milliseconds(1), fail_on_stop());
  co_return result;
}

TEST_F(TimeoutTest, AnotherErrorThanCancelledIsKept) {
  EXPECT_EQ(run(limited_failing()).code(), StatusCode::kDataLoss);
}

Task<Status> throw_soon() {
  co_await coro::yield();
  throw std::runtime_error("child");
}

Task<Status> limited_throwing() {
  Status result = co_await with_timeout(milliseconds(1), throw_soon());
  co_return result;
}

TEST_F(TimeoutTest, AnExceptionIsThrown) {
  EXPECT_THROW(static_cast<void>(run(limited_throwing())), std::runtime_error);
}

Task<void> note_limited(Status& result) { result = co_await with_timeout(milliseconds(50), work(milliseconds(100))); }

Task<void> stop_from_outside(Status& result) {
  co_await coro::with_scope([&](coro::Scope& scope) -> Task<void> {
    scope.spawn(note_limited(result));
    co_await sleep_for(milliseconds(1));
    scope.cancel();
  });
}

TEST_F(TimeoutTest, AStopFromOutsideIsCancelledAndNotTheDeadline) {
  Status result;
  run(stop_from_outside(result));

  EXPECT_EQ(result.code(), StatusCode::kCancelled) << result;
}

Task<Status> nested() {
  Status result = co_await with_timeout(milliseconds(50), limited(milliseconds(5), milliseconds(100)));
  co_return result;
}

TEST_F(TimeoutTest, TheInnerOneExpiresFirst) {
  const std::int64_t before = kernel_->clock_ns;

  EXPECT_EQ(run(nested()).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(kernel_->clock_ns, before + 5'000'000);
}

}  // namespace
}  // namespace wharf::runtime
