// Queue: a FIFO that keeps its memory. A std::deque of large elements allocates for each one that passes through it.
//
// Threads: one.
// Cost:    O(1), no allocation while no more are queued than ever before.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace wharf::ipc::detail {

template <class T>
class Queue {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  void push(T&& item) {
    if (size_ == slots_.size()) grow(2 * size_ + 4);
    slots_[(first_ + size_++) % slots_.size()] = std::move(item);
  }
  // Precondition: !empty().
  const T& front() const noexcept { return slots_[first_]; }
  T pop() noexcept {
    T item = std::exchange(slots_[first_], T());
    first_ = (first_ + 1) % slots_.size();
    --size_;
    return item;
  }
  // Room for `count` elements, so that push() does not allocate.
  void reserve(std::size_t count) {
    if (slots_.size() < count) grow(2 * count + 4);
  }
  void clear() noexcept {
    while (!empty()) pop();
  }

 private:
  void grow(std::size_t slot_count) {
    std::vector<T> larger(slot_count);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(slots_[(first_ + i) % slots_.size()]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace wharf::ipc::detail
