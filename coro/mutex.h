// Mutex: one task at a time, in the order of asking, with suspensions in between.
//
//     auto lock = co_await mutex.lock();
//     if (!lock) co_return;              // the task has been stopped, and the mutex is not held
//     co_await write_both_halves();
//                                        // the lock's destructor unlocks
//
// Tasks of one executor never run at the same time, so what needs no co_await inside needs no mutex.
//
// Ownership: the mutex outlives its locks. A lock moves; it does not belong to the task that took it.
// Cancel:    a stopped lock() gives an empty Lock. One that was handed the mutex before the stop holds it.
// Threads:   one executor's thread.
// Cost:      no allocation. unlock() hands the mutex to the first waiter: nobody overtakes.
#pragma once

#include <coroutine>
#include <utility>

#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

class Mutex {
 public:
  Mutex() noexcept = default;
  ~Mutex() {
    if (locked_) detail::fail("a Mutex was destroyed while it is locked");
  }

  class [[nodiscard("the mutex is unlocked when the Lock goes")]] Lock {
   public:
    Lock() noexcept = default;
    Lock(Lock&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Lock& operator=(Lock&& other) noexcept {
      Lock(std::move(other)).swap(*this);
      return *this;
    }
    ~Lock() { unlock(); }

    explicit operator bool() const noexcept { return mutex_ != nullptr; }
    // Before the end of its life; does nothing if it is empty.
    void unlock() noexcept {
      if (Mutex* mutex = std::exchange(mutex_, nullptr); mutex != nullptr) mutex->pass_on();
    }
    void swap(Lock& other) noexcept { std::swap(mutex_, other.mutex_); }

   private:
    friend Mutex;
    explicit Lock(Mutex* mutex) noexcept : mutex_(mutex) {}
    Mutex* mutex_ = nullptr;
  };

  bool locked() const noexcept { return locked_; }
  // Empty if it is locked.
  Lock try_lock() noexcept { return take() ? Lock(this) : Lock(); }

  class [[nodiscard]] Awaiter final : private detail::Wait {
   public:
    explicit Awaiter(Mutex& mutex) noexcept : mutex_(mutex) {}
    static constexpr const char* kWaitsFor = "Mutex::lock";
    bool await_ready() const noexcept { return mutex_.take(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, mutex_.waits_, site, *this);
    }
    [[nodiscard("the mutex is unlocked when the Lock goes")]] Lock await_resume() const noexcept {
      return stopped() ? Lock() : Lock(&mutex_);
    }

   private:
    Mutex& mutex_;
  };

  Awaiter lock() noexcept { return Awaiter(*this); }

 private:
  bool take() noexcept { return !std::exchange(locked_, true); }
  // To the first waiter: it stays locked. Or to nobody.
  void pass_on() noexcept { locked_ = waits_.resume_first() != nullptr; }

  // Invariant: nobody waits while it is not locked.
  detail::WaitList waits_;
  bool locked_ = false;
};

}  // namespace wharf::coro
