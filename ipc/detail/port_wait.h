// PortWait: a task that waits at a port, until it is served, stopped, or out of time.
//
// Threads: the port's reactor.
#pragma once

#include <coroutine>
#include <cstdint>

#include "wharf/coro/detail/wait.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/timer.h"

namespace wharf::ipc::detail {

class PortWait : public coro::detail::Wait, private runtime::Timer {
 public:
  // Ends a hold(), during which neither a stop nor the deadline ends the wait, and makes up for what came meanwhile.
  void release() noexcept {
    Wait::release();
    if (expired_ && waiting()) leave();
  }
  // Why the wait ended without success; OK if it did not.
  Status interruption(const char* operation) const;

  // Suspends `handle` in `list`, until the deadline (0: none) at the latest. False: it goes on at once.
  template <class Promise>
  bool suspend_until(std::coroutine_handle<Promise> handle, coro::detail::WaitList& list,
                     std::int64_t deadline_ns) noexcept {
    if (!suspend(handle, list)) return false;
    if (deadline_ns != 0) set(deadline_ns);
    return true;
  }
  // The same, and notes for dumps that `awaiter` waits at `site`.
  template <class Promise, class Awaiter>
  bool suspend_until(std::coroutine_handle<Promise> handle, coro::detail::WaitList& list, std::int64_t deadline_ns,
                     const coro::Site& site, const Awaiter& awaiter) noexcept {
    if (!suspend_until(handle, list, deadline_ns)) return false;
    handle.promise().note_wait(site, awaiter);
    return true;
  }

 protected:
  ~PortWait() = default;

 private:
  void on_expired() noexcept override {
    if (!waiting()) return;
    expired_ = true;
    if (!held()) leave();
  }

  bool expired_ = false;
};

}  // namespace wharf::ipc::detail
