// with_timeout: gives a task a limited time.
//
//     Status sent = co_await with_timeout(5s, send_all(fd, bytes));
//     StatusOr<Reply> reply = co_await with_timeout(std::chrono::seconds(1), ask(peer));
//
// The task runs under a stop source of its own, which is stopped when the time is up. If it then ends
// as Cancelled, the result is DeadlineExceeded; whatever else it says is the result: a task that
// succeeded at the last moment has succeeded. The task is always joined, so one that does not honour
// its stop token takes as long as it takes.
//
// Errors:  DeadlineExceeded, and the task's own. Its exception is thrown.
// Cancel:  reaches the task.
// Threads: the reactor's.
// Cost:    no frame and no allocation beside the task's.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/timer.h"

namespace wharf::runtime {
namespace detail {

inline StatusCode code_of(const Status& status) noexcept { return status.code(); }
template <class T>
StatusCode code_of(const StatusOr<T>& result) noexcept {
  return result.status().code();
}

// What every WithTimeout does, whatever its task gives.
class TimeoutBase : protected coro::Joiner, private Timer {
 protected:
  explicit TimeoutBase(std::int64_t duration_ns) noexcept : duration_ns_(duration_ns) {}
  ~TimeoutBase() override = default;

  const coro::Context& begin(coro::Frame& parent) noexcept;
  bool expired() const noexcept { return expired_; }
  Status exceeded() const;

 private:
  coro::Frame* child_done(coro::Frame& child) noexcept override;
  void on_expired() noexcept override;

  std::int64_t duration_ns_;
  coro::Frame* parent_ = nullptr;
  coro::StopSource stop_;
  coro::Context context_;
  bool expired_ = false;
};

template <class T>
class [[nodiscard]] WithTimeout final : private TimeoutBase {
 public:
  WithTimeout(std::int64_t duration_ns, coro::Task<T> task) noexcept
      : TimeoutBase(duration_ns), task_(std::move(task)) {}

  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    const coro::Context& context = begin(handle.promise());
    task_.start(*this, context);
  }
  T await_resume() {
    T result = task_.take();
    if (expired() && code_of(result) == StatusCode::kCancelled) return exceeded();
    return result;
  }

 private:
  coro::Task<T> task_;
};

}  // namespace detail

inline auto with_timeout(std::chrono::nanoseconds duration, coro::Task<Status> task) noexcept {
  return detail::WithTimeout<Status>(duration.count(), std::move(task));
}
template <class T>
auto with_timeout(std::chrono::nanoseconds duration, coro::Task<StatusOr<T>> task) noexcept {
  return detail::WithTimeout<StatusOr<T>>(duration.count(), std::move(task));
}

}  // namespace wharf::runtime
