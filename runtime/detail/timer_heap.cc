#include "wharf/runtime/detail/timer_heap.h"

#include <utility>

#include "wharf/runtime/base/check.h"

namespace wharf::runtime::detail {

TimerHeap::~TimerHeap() { WHARF_CHECK(root_ == nullptr, "a Reactor was destroyed while a Timer of it was set"); }

bool TimerHeap::before(const Timer& a, const Timer& b) noexcept {
  return a.deadline_ns_ != b.deadline_ns_ ? a.deadline_ns_ < b.deadline_ns_ : a.sequence_ < b.sequence_;
}

// Makes the later of two roots the first child of the other. Either may be null.
Timer* TimerHeap::meld(Timer* a, Timer* b) noexcept {
  if (a == nullptr) return b;
  if (b == nullptr) return a;
  if (before(*b, *a)) std::swap(a, b);
  b->previous_ = a;
  b->next_ = a->child_;
  if (b->next_ != nullptr) b->next_->previous_ = b;
  a->child_ = b;
  return a;
}

// Makes one heap of a list of siblings: in pairs from the first to the last, then from the last pair
// back to the first.
Timer* TimerHeap::merge_siblings(Timer* first) noexcept {
  Timer* pairs = nullptr;  // the last pair first, linked by next_
  while (first != nullptr) {
    Timer* a = first;
    Timer* b = a->next_;
    first = b != nullptr ? b->next_ : nullptr;
    a->next_ = nullptr;
    if (b != nullptr) b->next_ = nullptr;
    Timer* pair = meld(a, b);
    pair->next_ = pairs;
    pairs = pair;
  }
  Timer* root = nullptr;
  while (pairs != nullptr) {
    Timer* pair = std::exchange(pairs, pairs->next_);
    pair->next_ = nullptr;
    root = meld(root, pair);
  }
  if (root != nullptr) root->previous_ = nullptr;
  return root;
}

void TimerHeap::insert(Timer& timer, std::int64_t deadline_ns) noexcept {
  timer.heap_ = this;
  timer.deadline_ns_ = deadline_ns;
  timer.sequence_ = next_sequence_++;
  timer.child_ = timer.next_ = timer.previous_ = nullptr;
  root_ = meld(root_, &timer);
  ++size_;
}

void TimerHeap::remove(Timer& timer) noexcept {
  Timer* children = merge_siblings(std::exchange(timer.child_, nullptr));
  if (&timer == root_) {
    root_ = children;
  } else {
    Timer* previous = timer.previous_;
    (previous->child_ == &timer ? previous->child_ : previous->next_) = timer.next_;
    if (timer.next_ != nullptr) timer.next_->previous_ = previous;
    root_ = meld(root_, children);
  }
  timer.heap_ = nullptr;
  --size_;
}

void TimerHeap::expire(std::int64_t now_ns) noexcept {
  const std::uint64_t end_sequence = next_sequence_;
  while (root_ != nullptr && root_->deadline_ns_ <= now_ns) {
    Timer& timer = *root_;
    const bool set_meanwhile = timer.sequence_ >= end_sequence;
    if (set_meanwhile && timer.deadline_ns_ == now_ns) return;  // behind all the others
    remove(timer);
    if (set_meanwhile) {
      insert(timer, now_ns);  // into the past: those that were due go before it
    } else {
      timer.on_expired();
    }
  }
}

}  // namespace wharf::runtime::detail
