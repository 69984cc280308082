// TimedWait: a wait in somebody's list (coro/detail/wait.h) that a deadline ends too. The base of the awaiters of what one
// operation brings to many tasks.
//
// Threads: the reactor's.
#pragma once

#include <coroutine>
#include <cstdint>
#include <string>

#include "wharf/coro/detail/wait.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/detail/io_awaiter.h"
#include "wharf/runtime/timer.h"

namespace wharf::runtime::detail {

class TimedWait : protected coro::detail::Wait, private Timer {
 protected:
  explicit TimedWait(IoOptions options) noexcept : deadline_ns_(options.deadline_ns) {}
  ~TimedWait() override = default;

  // As Wait::suspend does. False: the task goes on at once, stopped or too late.
  template <class Promise, class Awaiter>
  bool suspend(std::coroutine_handle<Promise> handle, coro::detail::WaitList& list, const coro::Site& site,
               const Awaiter& awaiter) noexcept {
    if (late() || !Wait::suspend(handle, list, site, awaiter)) return false;
    Timer::set(deadline_ns_);
    return true;
  }
  void describe_time_left(std::string& text, std::int64_t now_ns) const;
  // Why the task goes on though nobody served it: Cancelled or DeadlineExceeded, of `operation`.
  Status interruption(const char* operation) const;

 private:
  bool late() noexcept;
  void on_expired() noexcept override;

  std::int64_t deadline_ns_;
  bool expired_ = false;
};

}  // namespace wharf::runtime::detail
