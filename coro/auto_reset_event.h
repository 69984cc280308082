// AutoResetEvent: each set() lets one waiting task through, the first that waited; with nobody waiting it is remembered, once.
//
//     bool woken = co_await news.wait();    // false: the task has been stopped
//
// Event (event.h) lets everybody through until it is reset.
//
// Cancel:  a stopped wait returns false and consumes nothing. One that was let through before the stop has succeeded.
// Threads: one executor's thread. From others: Reactor::post.
#pragma once

#include <coroutine>

#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

class AutoResetEvent {
 public:
  explicit AutoResetEvent(bool set = false) noexcept : set_(set) {}

  bool is_set() const noexcept { return set_; }
  // Schedules the first waiter; with none, the next wait need not wait.
  void set() noexcept {
    if (waits_.resume_first() == nullptr) set_ = true;
  }
  void reset() noexcept { set_ = false; }
  // Consumes what was set. False: nothing was.
  [[nodiscard]] bool try_wait() noexcept {
    const bool was_set = set_;
    set_ = false;
    return was_set;
  }

  class [[nodiscard]] Awaiter final : private detail::Wait {
   public:
    explicit Awaiter(AutoResetEvent& event) noexcept : event_(event) {}
    static constexpr const char* kWaitsFor = "AutoResetEvent::wait";
    bool await_ready() const noexcept { return event_.try_wait(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, event_.waits_, site, *this);
    }
    bool await_resume() const noexcept { return !stopped(); }

   private:
    AutoResetEvent& event_;
  };

  // True: one set() was consumed. False: the task has been stopped.
  Awaiter wait() noexcept { return Awaiter(*this); }

 private:
  // Invariant: nobody waits while it is set.
  detail::WaitList waits_;
  bool set_;
};

}  // namespace wharf::coro
