// One suspended coroutine that waits in somebody's list, and leaves it early when it is stopped. The base of every
// awaiter that waits for another coroutine.
//
// Threads: one executor's thread.
#pragma once

#include <coroutine>
#include <cstddef>
#include <type_traits>

#include "wharf/coro/detail/fail.h"
#include "wharf/coro/executor.h"

namespace wharf::coro::detail {

class Wait;

// A FIFO of waits. Whoever owns it resumes the first, or all.
class WaitList {
 public:
  WaitList() noexcept = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  ~WaitList();

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t count() const noexcept { return count_; }
  Wait* first() const noexcept { return first_; }
  void add(Wait& wait) noexcept;
  void remove(Wait& wait) noexcept;
  // Schedules the first; its wait has succeeded. Returns it, or null if nobody waits.
  Wait* resume_first() noexcept;
  void resume(Wait& wait) noexcept;
  void resume_all() noexcept;

 private:
  Wait* first_ = nullptr;
  Wait* last_ = nullptr;
  std::size_t count_ = 0;
};

class Wait : private StopCallback {
 public:
  Wait() noexcept = default;

  // True once the task was stopped during the wait, which ended it unless it is held.
  bool stopped() const noexcept { return stopped_; }
  // True while it is in a list.
  bool waiting() const noexcept { return list_ != nullptr; }
  // While it is held, a stop is noted and does not end the wait; release() makes up for it.
  void hold() noexcept { held_ = true; }
  bool held() const noexcept { return held_; }
  void release() noexcept {
    held_ = false;
    if (stopped_ && waiting()) leave();
  }

 protected:
  ~Wait() {
    if (list_ != nullptr) list_->remove(*this);
  }

  // Ends the wait without success: the task goes on.
  void leave() noexcept {
    list_->remove(*this);
    detach();
    frame_->schedule();
  }

  // Who has to make up for a waiter that left overrides this, and calls it first.
  void on_stop() noexcept override {
    stopped_ = true;
    if (!held_) leave();
  }

  // Suspends `handle` in `list`. False: the task has been stopped already and goes on at once.
  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  bool suspend(std::coroutine_handle<Promise> handle, WaitList& list) noexcept {
    frame_ = &handle.promise();
    if (!frame_->context->stop.attach(*this)) {
      stopped_ = true;
      if (!held_) return false;
    }
    list.add(*this);
    return true;
  }
  // The same, and notes for dumps that `awaiter`, which this is the base of, waits at `site`.
  template <class Promise, class Awaiter>
  bool suspend(std::coroutine_handle<Promise> handle, WaitList& list, const Site& site,
               const Awaiter& awaiter) noexcept {
    if (!suspend(handle, list)) return false;
    frame_->note_wait(site, awaiter);
    return true;
  }

 private:
  friend class WaitList;

  Frame* frame_ = nullptr;
  WaitList* list_ = nullptr;
  Wait* previous_ = nullptr;
  Wait* next_ = nullptr;
  bool stopped_ = false;
  bool held_ = false;
};

inline WaitList::~WaitList() {
  if (first_ != nullptr) fail("something that tasks wait for was destroyed: join them first");
}

inline void WaitList::add(Wait& wait) noexcept {
  wait.list_ = this;
  wait.previous_ = last_;
  wait.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &wait;
  last_ = &wait;
  ++count_;
}

inline void WaitList::remove(Wait& wait) noexcept {
  (wait.previous_ != nullptr ? wait.previous_->next_ : first_) = wait.next_;
  (wait.next_ != nullptr ? wait.next_->previous_ : last_) = wait.previous_;
  wait.list_ = nullptr;
  --count_;
}

inline void WaitList::resume(Wait& wait) noexcept { wait.leave(); }

inline Wait* WaitList::resume_first() noexcept {
  Wait* wait = first_;
  if (wait != nullptr) resume(*wait);
  return wait;
}

inline void WaitList::resume_all() noexcept {
  while (resume_first() != nullptr) {
  }
}

}  // namespace wharf::coro::detail
