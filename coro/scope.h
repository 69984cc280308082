// Scope: owns the tasks that are spawned in it. Nothing that a scope started outlives it.
//
//     co_await with_scope([&](Scope& scope) -> Task<void> {
//       scope.spawn(serve, std::move(connection));
//       ...
//     });                                            // here every task has ended
//
// The first exception of a child stops its siblings and is thrown by join(); later ones are dropped. A scope made with
// OnError::kCollect lets the siblings go on, and keeps every exception for take_errors().
//
// Cancel:  cancel() stops every child; they are still joined. A scope that follows a task's context stops its children when
//          that task is stopped, at once. A task that is stopped while it waits in join() stops the children, waits on, and
//          goes on when the last has ended.
// Threads: the executor's thread; a Scope is made on it.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "wharf/coro/compiler.h"
#include "wharf/coro/detail/result.h"
#include "wharf/coro/task.h"

namespace wharf::coro {

// What becomes of the siblings of a task that throws.
enum class OnError {
  kCancel,   // they are stopped; join() throws the first exception
  kCollect,  // they go on; take_errors() gives every exception
};

class Scope final : private Joiner {
 public:
  // On the executor that drives this thread now. It follows nobody, and so may outlive the task that makes it.
  explicit Scope(OnError on_error = OnError::kCancel) noexcept;
  explicit Scope(Executor& executor) noexcept : context_{&executor, stop_.token()} {}
  // Inside a task, which it does not outlive. The children inherit what the task did, its stop, its deadline and its
  // task-local values: `const Context& inherited = co_await context();`, then `Scope scope(inherited);`.
  explicit Scope(const Context& parent, OnError on_error = OnError::kCancel) noexcept
      : stop_(parent.stop), context_(parent.with_stop(stop_.token())), on_error_(on_error) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  // Aborts if a child lives still: join() first, or use with_scope.
  ~Scope();

  // Starts `task`: it goes to the end of the ready queue.
  //
  // Errors: with OnError::kCollect std::bad_alloc, when there is no room for what the task may throw; it has not started
  void spawn(Task<void> task);

  // Calls `function` with copies of its arguments, and starts the task that it returns. This is the safe form: what the
  // task needs goes in as parameters, which live in its frame. A lambda's captures do not (they die with the lambda).
  //
  // Errors: those of the call and of spawn(task) are thrown here, std::bad_alloc for one; nothing has started
  template <class F, class... Args>
    requires std::same_as<std::invoke_result_t<F, Args...>, Task<void>>
  void spawn(F function, Args... args) {
    static_assert(std::is_empty_v<F> || std::is_pointer_v<F> || std::is_member_pointer_v<F>,
                  "spawn: this lambda captures, and its captures die before the task ends; pass them as "
                  "arguments: scope.spawn([](Job job) -> Task<void> {...}, std::move(job)), or keep the "
                  "lambda: "
                  "scope.spawn(co_invoke([job] ...))");
    if constexpr (std::is_member_pointer_v<F>) {
      spawn(std::invoke(function, std::move(args)...));
    } else {
      spawn(function(std::move(args)...));
    }
  }

  // Tells every child, and every later one, to stop.
  void cancel() noexcept { stop_.request_stop(); }
  std::size_t live_count() const noexcept { return live_count_; }

  // The exceptions that children threw since it was last asked, in the order of their ends; with OnError::kCollect.
  //
  // Errors: std::bad_alloc, while children live; nothing is lost
  std::vector<std::exception_ptr> take_errors();

  // The deadline that children see (coro::deadline_ns()), from here on. It stops nobody: whoever sets it calls cancel()
  // then. A scope that follows a task has that task's already.
  //
  // Units: deadline_ns on the executor's clock; kNoDeadline is no limit.
  void set_deadline_ns(std::int64_t deadline_ns) noexcept { context_.deadline_ns = deadline_ns; }

  class [[nodiscard]] JoinAwaiter final : private StopCallback {
   public:
    explicit JoinAwaiter(Scope& scope) noexcept : scope_(scope) {}
    static constexpr const char* kWaitsFor = "Scope::join";
    void describe_wait(std::string& text, std::int64_t /*now_ns*/) const {
      text += ", " + std::to_string(scope_.live_count_) + " left";
    }
    bool await_ready() const noexcept { return scope_.live_count_ == 0; }
    template <class Promise>
      requires std::is_base_of_v<Frame, Promise>
    void await_suspend(std::coroutine_handle<Promise> handle, Site site = Site::current()) noexcept {
      Frame& frame = handle.promise();
      scope_.wait(frame);
      frame.note_wait(site, *this);
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
  // Waits until no child lives, nor its parameters; then throws what the first failed child threw (OnError::kCancel). More
  // may be spawned afterwards; and before this task has its turn again, by a parameter's destructor or a task that is no
  // child: live_count() tells. One task at a time.
  JoinAwaiter join() noexcept { return JoinAwaiter(*this); }

 private:
  Frame* child_done(Frame& child) noexcept override;
  const Frame* awaited_by() const noexcept override { return waiting_; }
  void wait(Frame& joiner) noexcept;
  void rethrow_first_error();

  StopSource stop_;
  Context context_;
  std::size_t live_count_ = 0;
  Frame* waiting_ = nullptr;  // in join()
  OnError on_error_ = OnError::kCancel;
  std::exception_ptr first_error_;          // with kCancel
  std::vector<std::exception_ptr> errors_;  // with kCollect; room for one of each live child
};

// Runs `body(scope)` and joins the scope, whichever way the body ends; then gives what the body gave. An exception from the
// body, or else the first one of a child, cancels the rest and is thrown here. The body may capture: it lives in this task's
// frame. With OnError::kCollect no child's exception cancels; the first of those that the body did not take is thrown.
//
// A child's exception does not stop the body, which goes on to its end: what waits for long is better a child itself.
//
// Ownership: takes the body, and destroys it when all has ended. g++ 12 destroys a lambda twice that captures a string, say,
//            and stands in an awaited expression: it is refused there. Keep it in a variable, and give std::ref(body).
// Cancel:    a stop of the task that awaits this reaches body and children at once.
template <class Body>
auto with_scope(Body body, OnError on_error = OnError::kCancel) -> std::invoke_result_t<Body&, Scope&> {
  static_assert(!WHARF_CORO_CLOSURES_DIE_TWICE || std::is_trivially_destructible_v<Body>,
                "with_scope: g++ 12 would destroy what this lambda captures twice; capture it by reference, or keep "
                "the lambda in a variable and give std::ref(it)");
  using T = typename std::invoke_result_t<Body&, Scope&>::value_type;
  const Context& inherited = co_await context();
  Scope scope(inherited, on_error);
  detail::Result<T> result;
  std::exception_ptr error;
  try {
    Task<T> running = body(scope);
    if constexpr (std::is_void_v<T>) {
      co_await std::move(running);
    } else {
      T value = co_await std::move(running);
      result.set(std::forward<T>(value));
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (error != nullptr) scope.cancel();
  do {
    try {
      co_await scope.join();
    } catch (...) {
      if (error == nullptr) error = std::current_exception();
    }
  } while (scope.live_count() != 0);  // a parameter of the last child may have spawned another as it went
  const std::vector<std::exception_ptr> untaken = scope.take_errors();
  if (error == nullptr && !untaken.empty()) error = untaken.front();
  if (error != nullptr) std::rethrow_exception(error);
  co_return result.take();
}

}  // namespace wharf::coro
