// Event: tasks wait until somebody sets it. Manual: once set it stays set, until it is reset.
//
// Cancel:  a stopped wait returns false; the event is not affected.
// Threads: one executor's thread. From others: Reactor::post.
#pragma once

#include <coroutine>

#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

class Event {
 public:
  bool is_set() const noexcept { return set_; }
  // Every waiter is scheduled, in the order of their waits.
  void set() noexcept {
    set_ = true;
    waits_.resume_all();
  }
  void reset() noexcept { set_ = false; }

  class [[nodiscard]] Awaiter final : private detail::Wait {
   public:
    explicit Awaiter(Event& event) noexcept : event_(event) {}
    static constexpr const char* kWaitsFor = "Event::wait";
    bool await_ready() const noexcept { return event_.set_; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, event_.waits_, site, *this);
    }
    bool await_resume() const noexcept { return !stopped(); }

   private:
    Event& event_;
  };

  // True: the event was set. False: the task has been stopped.
  Awaiter wait() noexcept { return Awaiter(*this); }

 private:
  detail::WaitList waits_;
  bool set_ = false;
};

}  // namespace wharf::coro
