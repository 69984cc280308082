// shield: runs a task that the stop of those who await it does not reach.
//
//     co_await shield(write_the_last_block());    // done to its end, whoever is stopped meanwhile
//
// What is shielded should take a bounded time: whoever stops the awaiting task waits for it.
//
// Errors:  the task's exception is thrown.
// Cancel:  ends here: the task and all below see a token that never stops, and no deadline, which is a stop that is to come.
//          Once it has ended, the awaiting task sees its own again.
// Threads: one executor's thread.
// Cost:    no frame and no allocation beside the task's; one trip through the ready queue.
#pragma once

#include <coroutine>
#include <type_traits>
#include <utility>

#include "wharf/coro/detail/under.h"

namespace wharf::coro {
namespace detail {

template <class T>
class [[nodiscard]] Shield final : public Under<T> {
 public:
  using Under<T>::Under;
  static constexpr const char* kWaitsFor = "shield";

  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  void await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
    Frame& parent = handle.promise();
    Context context = parent.context->with_stop(StopToken());
    context.deadline_ns = kNoDeadline;
    this->begin(parent, context);
    parent.note_wait(site, *this);
  }
};

}  // namespace detail

template <class T>
auto shield(Task<T> task) noexcept {
  return detail::Shield<T>(std::move(task));
}

}  // namespace wharf::coro
