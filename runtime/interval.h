// Interval: ticks at equal distances, that do not drift.
//
//     Interval every_second(1s);
//     while (std::uint64_t periods = co_await every_second.tick()) { ... }       // 0: the task was stopped
//
// Units:   nanoseconds on the reactor's clock; the first tick comes one period after the start.
// Threads: the reactor's.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <type_traits>

#include "wharf/coro/executor.h"
#include "wharf/runtime/timer.h"

namespace wharf::runtime {

class Interval {
 public:
  // A period of less than a nanosecond is one.
  explicit Interval(std::chrono::nanoseconds period) noexcept;

  class [[nodiscard]] TickAwaiter {
   public:
    explicit TickAwaiter(Interval& interval) noexcept : interval_(interval), sleep_(interval.next_ns_) {}
    static bool await_ready() noexcept { return false; }
    template <class Promise>
      requires std::is_base_of_v<coro::Frame, Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
      return sleep_.await_suspend(handle, site);
    }
    std::uint64_t await_resume() noexcept { return sleep_.await_resume() ? interval_.count() : 0; }

   private:
    Interval& interval_;
    SleepAwaiter sleep_;
  };

  // Waits for the next tick. Gives how many have come since the last call, at least one: who is late misses none, and is not
  // called for each. 0: the task was stopped, and none is lost.
  //
  // Cancel: honoured, at once.
  TickAwaiter tick() noexcept { return TickAwaiter(*this); }

  std::int64_t period_ns() const noexcept { return period_ns_; }
  // When the next tick comes.
  std::int64_t next_ns() const noexcept { return next_ns_; }

 private:
  std::uint64_t count() noexcept;

  std::int64_t period_ns_;
  std::int64_t next_ns_;
};

}  // namespace wharf::runtime
