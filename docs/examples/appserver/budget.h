// Budget: a number of units (bytes, requests) that tasks take and give back; who finds too few
// waits in line.
//
// Threads: one executor's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"

namespace appserver {

class Budget {
 public:
  // A part of the budget; given back when it dies.
  class Share {
   public:
    Share() noexcept = default;
    Share(Budget& budget, std::uint64_t units) noexcept : budget_(&budget), units_(units) {}
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), units_(other.units_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(units_, other.units_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->give_back(units_);
    }
    explicit operator bool() const noexcept { return budget_ != nullptr; }

   private:
    Budget* budget_ = nullptr;
    std::uint64_t units_ = 0;
  };

  explicit Budget(std::uint64_t units) noexcept : total_(units), free_(units) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // An empty share if somebody waits already, or too little is free.
  Share try_take(std::uint64_t units) noexcept;
  // More than there is in total counts as all of it. An empty share: the task was stopped.
  wharf::coro::Task<Share> take(std::uint64_t units);

  std::uint64_t taken() const noexcept { return total_ - free_; }

 private:
  struct Waiter {
    std::uint64_t units;
    wharf::coro::Event served;
  };
  void give_back(std::uint64_t units) noexcept;
  void serve_waiters() noexcept;

  const std::uint64_t total_;
  std::uint64_t free_;
  std::deque<Waiter*> waiters_;
};

}  // namespace appserver
