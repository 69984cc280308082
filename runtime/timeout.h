// with_timeout and with_deadline: give a task a limited time. stop_after and stop_at: the same for tasks that give no
// Status.
//
//     Status sent = co_await with_timeout(5s, send_all(fd, bytes));
//     StatusOr<Reply> reply = co_await with_deadline(request.deadline_ns(), ask(peer));
//     Timed<int> count = co_await stop_after(10ms, count_what_comes());   // count.value, count.expired
//
// The task runs under a stop source of its own, which is stopped when the time is up. With a Status: if it then ends as
// Cancelled, the result is DeadlineExceeded; whatever else it says is the result: a task that succeeded at the last
// moment has succeeded. The task is always joined, so one that does not honour its stop token takes as long as it takes.
//
// The time is a budget for everything that the task awaits, too: `co_await coro::deadline_ns()` tells them the earliest
// deadline above them. A longer time inside a shorter one does not extend it.
//
// Units:   deadline_ns on the reactor's clock; kNever is no limit.
// Errors:  DeadlineExceeded, and the task's own. Its exception is thrown.
// Cancel:  reaches the task.
// Threads: the reactor's.
// Cost:    no frame and no allocation beside the task's.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "wharf/coro/detail/joined.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/timer.h"

namespace wharf::runtime {

// What a task gave, and whether it was told to stop because its time was up. A void task gives coro::Void.
template <class T>
struct Timed {
  coro::NonVoid<T> value;
  bool expired = false;
};

namespace detail {

inline StatusCode code_of(const Status& status) noexcept { return status.code(); }
template <class T>
StatusCode code_of(const StatusOr<T>& result) noexcept {
  return result.status().code();
}

// How long: from the start of the wait, or until then.
struct TimeLimit {
  enum class Kind : std::uint8_t { kDuration, kDeadline };
  Kind kind;
  std::int64_t ns;
};
constexpr TimeLimit lasting(std::chrono::nanoseconds duration) noexcept {
  return {TimeLimit::Kind::kDuration, duration.count()};
}
constexpr TimeLimit until(std::int64_t deadline_ns) noexcept { return {TimeLimit::Kind::kDeadline, deadline_ns}; }

// What every limited task needs, whatever it gives.
class TimeoutBase : protected coro::Joiner, private Timer {
 public:
  static constexpr const char* kWaitsFor = "with_timeout";
  void describe_wait(std::string& text, std::int64_t now_ns) const;

 protected:
  explicit TimeoutBase(TimeLimit limit) noexcept : limit_(limit) {}
  ~TimeoutBase() override = default;

  const coro::Context& begin(coro::Frame& parent) noexcept;
  bool expired() const noexcept { return expired_; }
  Status exceeded() const;

 private:
  coro::Frame* child_done(coro::Frame& child) noexcept override;
  const coro::Frame* awaited_by() const noexcept override { return parent_; }
  void on_expired() noexcept override;

  TimeLimit limit_;
  coro::Frame* parent_ = nullptr;
  coro::StopSource stop_;
  coro::Context context_;
  bool expired_ = false;
};

template <class T>
class [[nodiscard]] Limited : protected TimeoutBase {
 public:
  Limited(TimeLimit limit, coro::Task<T> task) noexcept : TimeoutBase(limit), task_(std::move(task)) {}

  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  void await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    const coro::Context& context = begin(handle.promise());
    task_.start(*this, context);
    handle.promise().note_wait(site, static_cast<const TimeoutBase&>(*this));
  }

 protected:
  ~Limited() override = default;
  coro::Task<T>& task() noexcept { return task_; }

 private:
  coro::Task<T> task_;
};

template <class T>
class [[nodiscard]] WithTimeout final : public Limited<T> {
 public:
  using Limited<T>::Limited;
  T await_resume() {
    T result = this->task().take();
    if (this->expired() && code_of(result) == StatusCode::kCancelled) return this->exceeded();
    return result;
  }
};

template <class T>
class [[nodiscard]] StopAt final : public Limited<T> {
 public:
  using Limited<T>::Limited;
  Timed<T> await_resume() { return {coro::detail::take_result(this->task()), this->expired()}; }
};

}  // namespace detail

inline auto with_timeout(std::chrono::nanoseconds duration, coro::Task<Status> task) noexcept {
  return detail::WithTimeout<Status>(detail::lasting(duration), std::move(task));
}
template <class T>
auto with_timeout(std::chrono::nanoseconds duration, coro::Task<StatusOr<T>> task) noexcept {
  return detail::WithTimeout<StatusOr<T>>(detail::lasting(duration), std::move(task));
}

inline auto with_deadline(std::int64_t deadline_ns, coro::Task<Status> task) noexcept {
  return detail::WithTimeout<Status>(detail::until(deadline_ns), std::move(task));
}
template <class T>
auto with_deadline(std::int64_t deadline_ns, coro::Task<StatusOr<T>> task) noexcept {
  return detail::WithTimeout<StatusOr<T>>(detail::until(deadline_ns), std::move(task));
}

template <class T>
auto stop_after(std::chrono::nanoseconds duration, coro::Task<T> task) noexcept {
  return detail::StopAt<T>(detail::lasting(duration), std::move(task));
}
template <class T>
auto stop_at(std::int64_t deadline_ns, coro::Task<T> task) noexcept {
  return detail::StopAt<T>(detail::until(deadline_ns), std::move(task));
}

}  // namespace wharf::runtime
