// Semaphore: a number of permits, handed out in the order of asking.
//
//     Semaphore uploads(4);                        // no more than four at a time
//     auto permit = co_await uploads.acquire();
//     if (!permit) co_return;                      // the task has been stopped, and holds nothing
//
// A Permit gives its permits back when it goes. Where one task takes permits and another gives them, the first says
// `permit.keep()`, and the second `semaphore.release()`.
//
// Units:     permits. acquire(n) takes n of them at once, or none; a large request is not overtaken by small ones. One for
//            more than there will ever be waits until it is stopped, and those behind it wait with it.
// Ownership: the semaphore outlives its Permits.
// Cancel:    a stopped acquire() gives an empty Permit, and those behind it that can go, go. One that was handed its permits
//            before the stop holds them.
// Threads:   one executor's thread.
// Cost:      no allocation.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/coro/detail/wait.h"

namespace wharf::coro {

class Semaphore {
 public:
  explicit Semaphore(std::size_t count) noexcept : available_(count) {}

  class [[nodiscard("the permits are given back when the Permit goes")]] Permit {
   public:
    Permit() noexcept = default;
    Permit(Permit&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    Permit& operator=(Permit&& other) noexcept {
      Permit(std::move(other)).swap(*this);
      return *this;
    }
    ~Permit() { release(); }

    explicit operator bool() const noexcept { return semaphore_ != nullptr; }
    std::size_t count() const noexcept { return count_; }
    // Before the end of its life; does nothing if it is empty.
    void release() noexcept {
      if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->release(std::exchange(count_, 0));
    }
    // Never gives them back. Somebody else may, with Semaphore::release.
    void keep() noexcept {
      semaphore_ = nullptr;
      count_ = 0;
    }
    void swap(Permit& other) noexcept {
      std::swap(semaphore_, other.semaphore_);
      std::swap(count_, other.count_);
    }

   private:
    friend Semaphore;
    Permit(Semaphore* semaphore, std::size_t count) noexcept : semaphore_(semaphore), count_(count) {}
    Semaphore* semaphore_ = nullptr;
    std::size_t count_ = 0;
  };

  std::size_t available_count() const noexcept { return available_; }
  std::size_t waiting_count() const noexcept { return waits_.count(); }
  // Adds permits.
  void release(std::size_t count = 1) noexcept {
    available_ += count;
    admit();
  }
  // Empty if it would have to wait.
  Permit try_acquire(std::size_t count = 1) noexcept { return take(count) ? Permit(this, count) : Permit(); }

  class [[nodiscard]] Awaiter final : private detail::Wait {
   public:
    Awaiter(Semaphore& semaphore, std::size_t count) noexcept : semaphore_(semaphore), count_(count) {}
    static constexpr const char* kWaitsFor = "Semaphore::acquire";
    void describe_wait(std::string& text, std::int64_t /*now_ns*/) const {
      text += ", " + std::to_string(count_) + " of " + std::to_string(semaphore_.available_) + " there";
    }
    bool await_ready() const noexcept { return semaphore_.take(count_); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      return suspend(handle, semaphore_.waits_, site, *this);
    }
    [[nodiscard("the permits are given back when the Permit goes")]] Permit await_resume() const noexcept {
      return stopped() ? Permit() : Permit(&semaphore_, count_);
    }

   private:
    friend Semaphore;
    void on_stop() noexcept override {
      Wait::on_stop();
      semaphore_.admit();
    }

    Semaphore& semaphore_;
    const std::size_t count_;
  };

  Awaiter acquire(std::size_t count = 1) noexcept { return Awaiter(*this, count); }

 private:
  bool take(std::size_t count) noexcept {
    if (!waits_.empty() || count > available_) return false;
    available_ -= count;
    return true;
  }
  // Serves those at the head of the queue for whom there is enough.
  void admit() noexcept {
    while (auto* first = static_cast<Awaiter*>(waits_.first())) {
      if (first->count_ > available_) return;
      available_ -= first->count_;
      waits_.resume(*first);
    }
  }

  // Invariant: there is not enough for the first that waits.
  detail::WaitList waits_;
  std::size_t available_;
};

}  // namespace wharf::coro
