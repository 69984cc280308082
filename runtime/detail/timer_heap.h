// TimerHeap: the timers of one reactor, an intrusive pairing heap ordered by (deadline, order of
// setting).
//
// Threads: the reactor's.
// Cost:    insert O(1); remove and the next expiry O(log n) amortised; no allocation, no recursion.
// Source:  Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, Algorithmica 1 (1986).
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/runtime/timer.h"

namespace wharf::runtime::detail {

class TimerHeap {
 public:
  TimerHeap() noexcept = default;
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;
  // Aborts if a timer is set: it would point to a heap that is gone.
  ~TimerHeap();

  std::size_t size() const noexcept { return size_; }
  // kNever if there is none.
  std::int64_t first_deadline_ns() const noexcept { return root_ != nullptr ? root_->deadline_ns_ : kNever; }

  // A timer that is not set.
  void insert(Timer& timer, std::int64_t deadline_ns) noexcept;
  // A timer that is set, in this heap.
  void remove(Timer& timer) noexcept;

  // Runs the timers that were due by `now_ns`; one that is set meanwhile waits for the next call.
  void expire(std::int64_t now_ns) noexcept;

 private:
  static bool before(const Timer& a, const Timer& b) noexcept;
  static Timer* meld(Timer* a, Timer* b) noexcept;
  static Timer* merge_siblings(Timer* first) noexcept;

  Timer* root_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace wharf::runtime::detail
