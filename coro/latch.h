// Latch: tasks wait until it has been counted down to zero, where it stays.
//
//     Latch ready(3);
//     ready.count_down();                  // each of three tasks
//     bool all = co_await ready.wait();    // false: the task has been stopped
//
// Cancel:  a stopped wait returns false; the count is not affected.
// Threads: one executor's thread.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>

#include "wharf/coro/detail/fail.h"
#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

class Latch {
 public:
  explicit Latch(std::size_t count) noexcept : count_(count) {}

  std::size_t count() const noexcept { return count_; }
  // At zero every waiter is scheduled, in the order of their waits. Counting below zero aborts.
  void count_down(std::size_t by = 1) noexcept {
    if (by > count_) detail::fail("a Latch was counted down below zero");
    count_ -= by;
    if (count_ == 0) waits_.resume_all();
  }

  class [[nodiscard]] Awaiter final : private detail::Wait {
   public:
    explicit Awaiter(Latch& latch) noexcept : latch_(latch) {}
    static constexpr const char* kWaitsFor = "Latch::wait";
    void describe_wait(std::string& text, std::int64_t /*now_ns*/) const {
      text += ", at " + std::to_string(latch_.count_);
    }
    bool await_ready() const noexcept { return latch_.count_ == 0; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, latch_.waits_, site, *this);
    }
    bool await_resume() const noexcept { return !stopped(); }

   private:
    Latch& latch_;
  };

  // True: the count is zero. False: the task has been stopped.
  Awaiter wait() noexcept { return Awaiter(*this); }
  // Counts down by one, whether or not the task is then stopped in its wait.
  Awaiter arrive_and_wait() noexcept {
    count_down();
    return Awaiter(*this);
  }

 private:
  detail::WaitList waits_;
  std::size_t count_;
};

}  // namespace wharf::coro
