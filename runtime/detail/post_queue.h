// PostQueue: what other threads want done on the reactor's thread, and whether they have to wake it.
//
// Invariant: work that was pushed is taken, or the reactor is about to look, or a wake is on its way.
//   Pusher:  P1 links the work in.        P2 loads and clears `sleeping`; if it was set, wakes.
//   Reactor: R1 sets `sleeping`.          R2 looks for work; if there is some, it does not sleep.
// P1, P2, R1 and R2 are sequentially consistent: either R2 sees the work of P1, or P2 sees R1. Whoever
// clears `sleeping` owes the wake, so there is one in each sleep at most.
#pragma once

#include <atomic>

#include "wharf/runtime/posted.h"

namespace wharf::runtime::detail {

class PostQueue {
 public:
  PostQueue() noexcept = default;
  PostQueue(const PostQueue&) = delete;
  PostQueue& operator=(const PostQueue&) = delete;
  ~PostQueue() { drop_all(); }

  // True: the caller must wake the reactor. Any thread.
  [[nodiscard]] bool push(Posted& work) noexcept {
    Posted* newest = newest_.load(std::memory_order_relaxed);
    do {
      work.next_ = newest;
    } while (!newest_.compare_exchange_weak(newest, &work, std::memory_order_seq_cst,  // P1 -> R2
                                            std::memory_order_relaxed));
    return sleeping_.load(std::memory_order_seq_cst) &&           // P2 -> R1
           sleeping_.exchange(false, std::memory_order_seq_cst);  // one pusher wakes
  }

  // The rest is the reactor's.

  bool empty() const noexcept { return newest_.load(std::memory_order_relaxed) == nullptr; }

  // From here on pushers wake, if the result is true. False: there is work.
  bool prepare_sleep() noexcept {
    sleeping_.store(true, std::memory_order_seq_cst);                     // R1 -> P2
    if (newest_.load(std::memory_order_seq_cst) == nullptr) return true;  // R2 -> P1
    awake();
    return false;
  }
  // A wake that is on its way already comes to nothing.
  void awake() noexcept { sleeping_.store(false, std::memory_order_relaxed); }

  // All there is, the oldest first.
  Posted* take_all() noexcept {
    Posted* work = newest_.exchange(nullptr, std::memory_order_acquire);  // pairs with P1
    Posted* oldest = nullptr;
    while (work != nullptr) {
      Posted* older = work->next_;
      work->next_ = oldest;
      oldest = work;
      work = older;
    }
    return oldest;
  }
  void drop_all() noexcept {
    for (Posted* work = take_all(); work != nullptr;) {
      Posted* next = next_of(*work);
      work->drop();
      work = next;
    }
  }
  // Of work that was taken; before it runs, because afterwards it may be gone.
  static Posted* next_of(const Posted& work) noexcept { return work.next_; }

 private:
  std::atomic<Posted*> newest_{nullptr};
  std::atomic<bool> sleeping_{false};
};

}  // namespace wharf::runtime::detail
