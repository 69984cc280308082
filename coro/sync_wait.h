// sync_wait: runs a task to its end on the calling thread, without a reactor: for tests, and for code that only computes.
//
//     int n = sync_wait(length("quay"));
//
// The task may await whatever its own children bring about: other tasks, scopes, channels, mutexes. What a kernel or another
// thread brings needs a loop that sleeps: there give the task to runtime::Reactor::run.
//
// Errors:  the task's exception is thrown. Aborts if the task waits for something that nothing here can bring.
// Cancel:  none: its token never stops.
// Threads: any, each call on its own. Called inside a task it runs that other task alone, and the outer ones wait.
// Cost:    no allocation beside the task's frame.
#pragma once

#include <utility>

#include "wharf/coro/task.h"

namespace wharf::coro {
namespace detail {

class SyncWait final : private Joiner {
 public:
  template <class T>
  T run(Task<T> task) {
    task.start(*this, context_);
    drive();
    return task.take();
  }

 private:
  void drive() noexcept;
  Frame* child_done(Frame& /*child*/) noexcept override {
    done_ = true;
    return nullptr;
  }

  Executor executor_;
  Executor::Entered entered_{executor_};
  Context context_{&executor_, StopToken()};
  bool done_ = false;
};

}  // namespace detail

template <class T>
T sync_wait(Task<T> task) {
  detail::SyncWait wait;
  return wait.run(std::move(task));
}

}  // namespace wharf::coro
