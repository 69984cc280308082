// Scope: owns the tasks that are spawned in it. Nothing that a scope started outlives it.
//
//     co_await with_scope([&](Scope& scope) -> Task<void> {
//       scope.spawn(serve, std::move(connection));
//       ...
//     });                                            // here every task has ended
//
// The first exception of a child cancels its siblings and is thrown by join(); later ones are dropped.
//
// Cancel:  cancel() stops every child; they are still joined. A task that is stopped while it waits in join() stops the
//          children, waits on, and goes on when the last has ended.
// Threads: the executor's thread; a Scope is made on it.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include "wharf/coro/task.h"

namespace wharf::coro {

class Scope final : private Joiner {
 public:
  // On the executor that drives this thread now.
  Scope() noexcept;
  explicit Scope(Executor& executor) noexcept : context_{&executor, stop_.token()} {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // Aborts if a child lives still: join() first, or use with_scope.
  ~Scope();

  // Starts `task`: it goes to the end of the ready queue.
  void spawn(Task<void> task) noexcept;

  // Calls `function` with copies of its arguments, and starts the task that it returns. This is the safe form: what the
  // task needs goes in as parameters, which live in its frame. A lambda's captures do not (they die with the lambda).
  template <class F, class... Args>
    requires std::same_as<std::invoke_result_t<F, Args...>, Task<void>>
  void spawn(F function, Args... args) {
    static_assert(std::is_empty_v<F> || std::is_pointer_v<F> || std::is_member_pointer_v<F>,
                  "spawn: this lambda captures, and its captures die before the task ends; pass them as "
                  "arguments: scope.spawn([](Job job) -> Task<void> {...}, std::move(job))");
    spawn(std::invoke(function, std::move(args)...));
  }

  // Tells every child, and every later one, to stop.
  void cancel() noexcept { stop_.request_stop(); }
  std::size_t live_count() const noexcept { return live_count_; }

  class [[nodiscard]] JoinAwaiter final : private StopCallback {
   public:
    explicit JoinAwaiter(Scope& scope) noexcept : scope_(scope) {}
    bool await_ready() const noexcept { return scope_.live_count_ == 0; }
    template <class Promise>
      requires std::is_base_of_v<Frame, Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      Frame& frame = handle.promise();
      scope_.wait(frame);
      if (!frame.context->stop.attach(*this)) scope_.cancel();
    }
    void await_resume() {
      detach();
      scope_.rethrow_first_error();
    }

   private:
    void on_stop() noexcept override { scope_.cancel(); }
    Scope& scope_;
  };
  // Waits until no child lives, nor its parameters; then throws what the first failed child threw. More may be spawned
  // afterwards. One task at a time.
  JoinAwaiter join() noexcept { return JoinAwaiter(*this); }

 private:
  Frame* child_done(Frame& child) noexcept override;
  void wait(Frame& joiner) noexcept;
  void rethrow_first_error();

  StopSource stop_;
  Context context_;
  std::size_t live_count_ = 0;
  Frame* waiting_ = nullptr;  // in join()
  std::exception_ptr first_error_;
};

// Runs `body(scope)` and joins the scope, whichever way the body ends. An exception from the body, or else the first one
// of a child, cancels the rest and is thrown here. The body may capture: it lives in this task's frame.
template <class Body>
Task<void> with_scope(Body body) {
  Scope scope;
  std::exception_ptr error;
  try {
    co_await body(scope);
  } catch (...) {
    error = std::current_exception();
  }
  if (error != nullptr) scope.cancel();
  try {
    co_await scope.join();
  } catch (...) {
    if (error == nullptr) error = std::current_exception();
  }
  if (error != nullptr) std::rethrow_exception(error);
}

}  // namespace wharf::coro
