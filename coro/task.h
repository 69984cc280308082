// Task<T>: a coroutine that starts when it is awaited, and gives a T to the one that awaits it.
//
//     Task<int> length(std::string name);          // parameters by value: they live in the frame
//     Task<void> caller() { int n = co_await length("quay"); ... }
//
// A task is awaited once, or spawned in a Scope (scope.h); one that never starts is simply destroyed. Awaiting hands the
// thread over directly, at the cost of a call; an exception that leaves the task is thrown again from the co_await.
//
// Cancel:  a task inherits the stop token of the task that awaits it. Stopping never destroys a task: its awaiters
//          resume early and say so, and the task ends in its own words.
// Threads: one executor's thread.
// Cost:    143 instructions with g++ 12 (tests/counts), with the frame from the cache of frame_cache.h.
#pragma once

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include "wharf/coro/detail/fail.h"
#include "wharf/coro/detail/result.h"
#include "wharf/coro/executor.h"

namespace wharf::coro {

template <class T = void>
class Task;

namespace detail {

// Suspends a finished task and goes on with whoever waits for it.
struct FinalAwaiter {
  static bool await_ready() noexcept { return false; }
  WHARF_AWAIT_SUSPEND std::coroutine_handle<> await_suspend(std::coroutine_handle<> /*finished*/) const noexcept {
    if (frame.parent == nullptr) return Executor::after_task(frame);
    return frame.context->executor->transfer_to(*frame.parent);
  }
  static void await_resume() noexcept {}

  // And not what await_suspend is given: g++ reads that from the coroutine, and the processor waits for it on the way to
  // the parent.
  Frame& frame;
};

template <class T>
struct TaskPromiseBase : Frame {
  static std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {*this}; }
  void unhandled_exception() noexcept { error = std::current_exception(); }

  // Moves the value out, or throws what the task threw.
  T take() {
    if (!this->handle().done()) fail("the result of a task was read before the task had one");
    return take_after_end();
  }
  // The same, for whoever knows that it has ended.
  T take_after_end() {
    if (error != nullptr) this->rethrow_error();
    return value.take();
  }

  Result<T> value;
};

template <class T>
struct TaskPromise final : TaskPromiseBase<T> {
  WHARF_CORO_RETURN_OBJECT Task<T> get_return_object(Site site = Site::current()) noexcept;
  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& returned) {
    this->value.set(std::forward<U>(returned));
  }
};

template <>
struct TaskPromise<void> final : TaskPromiseBase<void> {
  WHARF_CORO_RETURN_OBJECT Task<void> get_return_object(Site site = Site::current()) noexcept;
  static void return_void() noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard("a Task does nothing until it is awaited or spawned")]] WHARF_CORO_TYPE Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task(std::move(other)).swap(*this);
    return *this;
  }
  ~Task() {
    if (handle_ == nullptr) return;
    if (!handle_.done() && handle_.promise().started()) {
      detail::fail("a running Task was destroyed: await it, or join the Scope that it was spawned in");
    }
    handle_.promise().destroy();
  }

  void swap(Task& other) noexcept { std::swap(handle_, other.handle_); }

  class Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> child) noexcept : child_(child) {}
    static bool await_ready() noexcept { return false; }
    template <class Promise>
      requires std::is_base_of_v<Frame, Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent,
                                          Site site = Site::current()) const noexcept {
      Frame& frame = child_.promise();
      frame.parent = &parent.promise();
      frame.context = frame.parent->context;
      frame.parent->note_child(site, frame);
      return frame.context->executor->transfer_to_new(frame);
    }
    T await_resume() const { return child_.promise().take_after_end(); }

   private:
    std::coroutine_handle<promise_type> child_;
  };

  // Awaits the task; only as an rvalue: `co_await task()` or `co_await std::move(task)`.
  Awaiter operator co_await() && noexcept {
    if (handle_ == nullptr || handle_.promise().started()) {
      detail::fail("a Task was awaited twice, or after it was moved from");
    }
    return Awaiter(handle_);
  }

  // For who starts tasks without awaiting them: combinators, scopes and executors.
  //
  // `joiner` learns of the end, and `context` is what the task inherits; both outlive it. The task is put at the end of
  // the queue. Its frame stays this object's.
  Frame& start(Joiner& joiner, const Context& context) noexcept {
    if (handle_ == nullptr || handle_.promise().started()) {
      detail::fail("a Task was started twice, or after it was moved from");
    }
    Frame& frame = handle_.promise();
    frame.parent = nullptr;
    frame.joiner = &joiner;
    frame.context = &context;
    context.executor->add_task(frame);
    frame.schedule();
    return frame;
  }
  // Moves the value out of a task that has ended, or throws what it threw.
  T take() { return handle_.promise().take(); }
  bool owns(const Frame& frame) const noexcept { return &handle_.promise() == &frame; }
  // Gives the frame away; who takes it destroys it.
  std::coroutine_handle<promise_type> release() noexcept { return std::exchange(handle_, nullptr); }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

template <class T>
WHARF_CORO_RETURN_OBJECT Task<T> detail::TaskPromise<T>::get_return_object(Site site) noexcept {
  this->note_beginning(site);
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
WHARF_CORO_RETURN_OBJECT inline Task<void> detail::TaskPromise<void>::get_return_object(Site site) noexcept {
  note_beginning(site);
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

// An awaiter that does not wait: gives the frame that awaits it to `F`, and returns what F returns.
namespace detail {
template <class F>
class [[nodiscard]] WithFrame {
 public:
  explicit WithFrame(F use) noexcept : use_(use) {}
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    frame_ = &handle.promise();
    return false;
  }
  decltype(auto) await_resume() const noexcept { return use_(*frame_); }

 private:
  F use_;
  Frame* frame_ = nullptr;
};
}  // namespace detail

// `co_await stop_token()`: the token that this task inherited.
inline auto stop_token() noexcept {
  return detail::WithFrame([](const Frame& frame) noexcept { return frame.context->stop; });
}

// `const Context& inherited = co_await context()`: all that this task inherited. It lives as long as the task.
inline auto context() noexcept {
  return detail::WithFrame([](const Frame& frame) noexcept -> const Context& { return *frame.context; });
}

// `co_await deadline_ns()`: the time by which this task's result is wanted: the earliest deadline of those that await it,
// on the executor's clock, or kNoDeadline. What it hands on, to another process say, it bounds by that; below, the stop
// comes by itself.
inline auto deadline_ns() noexcept {
  return detail::WithFrame([](const Frame& frame) noexcept { return frame.context->deadline_ns; });
}

class YieldAwaiter {
 public:
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  static void await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
    handle.promise().note_site(site);
    // And not promise().schedule(): where the queue lies is to be known without reading it from the frame, since the
    // processor holds the next read of the queue back until it knows where this write goes.
    Executor::current()->schedule(handle.promise());
  }
  static void await_resume() noexcept {}
};

// `co_await yield()`: goes to the end of the ready queue, so that the others have their turn.
[[nodiscard]] inline YieldAwaiter yield() noexcept { return {}; }

}  // namespace wharf::coro
