// Timers: Timer, a callback at a time; sleep_for and sleep_until, which are awaited. They live in user
// space: setting one is a few pointers, and the earliest is the timeout of the reactor's next sleep.
//
// Units:   nanoseconds on the reactor's clock (Reactor::now_ns).
// Threads: the reactor's.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string>
#include <type_traits>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/runtime/base/clock.h"

namespace wharf::runtime {

class Reactor;

namespace detail {
class TimerHeap;
}

// Set it, and on_expired() runs once, on the reactor that drives this thread, at the deadline or soon
// after: timers that expire together run in the order of their deadlines, then of their setting.
//
// Ownership: the owner's. The destructor cancels.
// Cost:      no allocation, no system call. Setting is O(1). Cancelling is O(1) for a timer that no
//            earlier one was removed around; otherwise O(log n), amortised.
class Timer {
 public:
  Timer() noexcept = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Sets it, instead of what it was set to. A deadline in the past expires on the next turn; kNever
  // does not expire.
  void set(std::int64_t deadline_ns) noexcept {
    cancel();
    if (deadline_ns != kNever) return insert(deadline_ns);
    deadline_ns_ = kNever;
  }
  void cancel() noexcept {
    if (is_set()) remove();
  }
  bool is_set() const noexcept { return heap_ != nullptr; }
  std::int64_t deadline_ns() const noexcept { return deadline_ns_; }

 protected:
  virtual ~Timer() { cancel(); }

  // Runs between the reactor's other work: it may only enqueue, and set and cancel timers.
  virtual void on_expired() noexcept = 0;

 private:
  friend class detail::TimerHeap;

  void insert(std::int64_t deadline_ns) noexcept;
  void remove() noexcept;

  std::int64_t deadline_ns_ = kNever;
  detail::TimerHeap* heap_ = nullptr;  // null: not set
  // While it is set; not cleared before, because every operation that is awaited has one.
  std::uint64_t sequence_;  // order of setting
  Timer* child_;            // the heap: first child,
  Timer* next_;             // next sibling,
  Timer* previous_;         // previous sibling, or the parent of the first
};

class [[nodiscard]] SleepAwaiter final : private Timer, private coro::StopCallback {
 public:
  explicit SleepAwaiter(std::int64_t deadline_ns) noexcept : wake_ns_(deadline_ns) {}
  static constexpr const char* kWaitsFor = "sleep";
  void describe_wait(std::string& text, std::int64_t now_ns) const;
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    if (!begin(handle.promise())) return false;
    frame_->note_wait(site, *this);
    return true;
  }
  bool await_resume() const noexcept { return !stopped_; }

 private:
  bool begin(coro::Frame& frame) noexcept;
  void on_expired() noexcept override;
  void on_stop() noexcept override;

  std::int64_t wake_ns_;
  coro::Frame* frame_ = nullptr;
  bool stopped_ = false;
};

// `bool elapsed = co_await sleep_for(5ms)`. False: the task was stopped, and slept for less.
//
// Errors: none. Cancel: honoured, at once.
SleepAwaiter sleep_for(std::chrono::nanoseconds duration) noexcept;
SleepAwaiter sleep_until(std::int64_t deadline_ns) noexcept;

}  // namespace wharf::runtime
