// What stands for the atomics of shm/atomic.h in the build of the library that can be killed at each step: before a store, which
// is all of a process that its peer can see in memory, it passes a fault point. A load changes nothing: dying there is
// dying at the next step. Plain writes to a ring or a block are seen by nobody before the store that publishes them.
#pragma once

#include <atomic>

namespace wharf::test {
void fault_point_of_store() noexcept;
}  // namespace wharf::test

namespace wharf::shm {

template <class T>
class Atomic {
 public:
  static constexpr bool is_always_lock_free = std::atomic<T>::is_always_lock_free;

  T load(std::memory_order order) const noexcept { return value_.load(order); }
  void store(T value, std::memory_order order) noexcept {
    test::fault_point_of_store();
    value_.store(value, order);
  }

 private:
  std::atomic<T> value_{};
};

template <class T>
class AtomicRef {
 public:
  explicit AtomicRef(T& value) noexcept : value_(value) {}

  T load(std::memory_order order) const noexcept { return value_.load(order); }
  void store(T value, std::memory_order order) noexcept {
    test::fault_point_of_store();
    value_.store(value, order);
  }

 private:
  std::atomic_ref<T> value_;
};

}  // namespace wharf::shm
