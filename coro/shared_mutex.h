// SharedMutex: one writer, or many readers, in the order of asking.
//
//     auto reading = co_await table_mutex.lock_shared();
//     if (!reading) co_return;            // the task has been stopped, and nothing is held
//
// Whoever asks later waits behind those that wait already, readers behind a waiting writer too: nobody starves. So a task
// that reads must not ask to read again, nor to write, before it has let go.
//
// Ownership: the mutex outlives its locks. A lock moves; it does not belong to the task that took it.
// Cancel:    a stopped lock gives an empty Lock, and those behind it that can go, go. One that was handed the mutex before
//            the stop holds it.
// Threads:   one executor's thread.
// Cost:      no allocation.
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>

#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

class SharedMutex {
 public:
  SharedMutex() noexcept = default;
  ~SharedMutex() {
    if (writing_ || reader_count_ != 0) {
      detail::fail("a SharedMutex was destroyed while it is locked");
    }
  }

  enum class Mode { kRead, kWrite };

  template <Mode kMode>
  class [[nodiscard("the mutex is unlocked when the lock goes")]] BasicLock {
   public:
    BasicLock() noexcept = default;
    BasicLock(BasicLock&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    BasicLock& operator=(BasicLock&& other) noexcept {
      BasicLock(std::move(other)).swap(*this);
      return *this;
    }
    ~BasicLock() { unlock(); }

    explicit operator bool() const noexcept { return mutex_ != nullptr; }
    // Before the end of its life; does nothing if it is empty.
    void unlock() noexcept {
      if (SharedMutex* mutex = std::exchange(mutex_, nullptr); mutex != nullptr) mutex->let_go(kMode);
    }
    void swap(BasicLock& other) noexcept { std::swap(mutex_, other.mutex_); }

   private:
    friend SharedMutex;
    explicit BasicLock(SharedMutex* mutex) noexcept : mutex_(mutex) {}
    SharedMutex* mutex_ = nullptr;
  };
  using Lock = BasicLock<Mode::kWrite>;
  using SharedLock = BasicLock<Mode::kRead>;

  bool locked() const noexcept { return writing_; }
  std::size_t reader_count() const noexcept { return reader_count_; }

 private:
  class Waiter : public detail::Wait {
   public:
    Waiter(SharedMutex& owner, Mode wanted) noexcept : mutex(owner), mode(wanted) {}
    SharedMutex& mutex;
    const Mode mode;

   protected:
    ~Waiter() = default;
    void on_stop() noexcept override {
      Wait::on_stop();
      mutex.admit();
    }
  };

 public:
  template <Mode kMode>
  class [[nodiscard]] Awaiter final : private Waiter {
   public:
    explicit Awaiter(SharedMutex& owner) noexcept : Waiter(owner, kMode) {}
    static constexpr const char* kWaitsFor = kMode == Mode::kRead ? "SharedMutex::lock_shared" : "SharedMutex::lock";
    bool await_ready() const noexcept { return this->mutex.take(kMode); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return this->suspend(handle, this->mutex.waits_, site, *this);
    }
    [[nodiscard("the mutex is unlocked when the lock goes")]] BasicLock<kMode> await_resume() const noexcept {
      return this->stopped() ? BasicLock<kMode>() : BasicLock<kMode>(&this->mutex);
    }

   private:
    friend SharedMutex;
  };

  Awaiter<Mode::kWrite> lock() noexcept { return Awaiter<Mode::kWrite>(*this); }
  Awaiter<Mode::kRead> lock_shared() noexcept { return Awaiter<Mode::kRead>(*this); }
  // Empty if it would have to wait.
  Lock try_lock() noexcept { return take(Mode::kWrite) ? Lock(this) : Lock(); }
  SharedLock try_lock_shared() noexcept { return take(Mode::kRead) ? SharedLock(this) : SharedLock(); }

 private:
  bool is_free_for(Mode mode) const noexcept { return !writing_ && (mode == Mode::kRead || reader_count_ == 0); }
  void give(Mode mode) noexcept {
    if (mode == Mode::kWrite) {
      writing_ = true;
    } else {
      ++reader_count_;
    }
  }
  bool take(Mode mode) noexcept {
    if (!waits_.empty() || !is_free_for(mode)) return false;
    give(mode);
    return true;
  }
  void let_go(Mode mode) noexcept {
    if (mode == Mode::kWrite) {
      writing_ = false;
    } else {
      --reader_count_;
    }
    admit();
  }
  // Hands it to those at the head of the queue that it is free for.
  void admit() noexcept {
    while (auto* first = static_cast<Waiter*>(waits_.first())) {
      if (!is_free_for(first->mode)) return;
      give(first->mode);
      waits_.resume(*first);
    }
  }

  // Invariant: it is not free for the first that waits.
  detail::WaitList waits_;
  std::size_t reader_count_ = 0;
  bool writing_ = false;
};

}  // namespace wharf::coro
