// SharedWait: one suspended task that waits for something which any thread may bring. The base of the awaiters of
// SharedChannel.
//
// Invariants:
//   1. Whether a wait is in a list changes under the mutex of what it waits for, and there alone.
//   2. Who takes a wait out of its list ends it: another thread by wake(), which brings the frame back to its own reactor;
//      its own thread when the task is stopped. So it ends once.
//   3. Everything else of a wait is its own thread's, and the waker's between taking it out and wake().
//
// Threads: the reactor's that the task runs on; wake() any.
#pragma once

#include <coroutine>
#include <memory>
#include <mutex>
#include <type_traits>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/runtime/detail/list.h"
#include "wharf/runtime/posted.h"

namespace wharf::runtime {

class PostGate;
class Reactor;

namespace detail {

struct SharedWaitTag;

class SharedWait : private Posted, private coro::StopCallback, private ListNode<SharedWaitTag> {
 public:
  using List = detail::List<SharedWait, SharedWaitTag>;

  // The wait is over, with success. It is in no list; the caller no longer holds the mutex, and does not touch the wait
  // afterwards.
  void wake() noexcept;

 protected:
  explicit SharedWait(std::mutex& mutex) noexcept : mutex_(mutex) {}
  ~SharedWait() override = default;

  // Suspends the frame in `list`, unless `ready()` says, under the mutex, that there is no need to. False: the task goes
  // on at once.
  template <class Promise, class Ready>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool suspend(std::coroutine_handle<Promise> handle, List& list, Ready ready) noexcept {
    if (!begin(handle.promise())) return false;
    {
      const std::lock_guard lock(mutex_);
      if (!ready()) {
        list.push_back(*this);
        return true;
      }
    }
    StopCallback::detach();
    return false;
  }

 private:
  template <class, class>
  friend class detail::List;

  bool begin(coro::Frame& frame) noexcept;
  void run() noexcept override;
  void drop() noexcept override {}
  void on_stop() noexcept override;

  std::mutex& mutex_;
  coro::Frame* frame_ = nullptr;
  Reactor* reactor_ = nullptr;
  std::shared_ptr<PostGate> gate_;
};

}  // namespace detail
}  // namespace wharf::runtime
