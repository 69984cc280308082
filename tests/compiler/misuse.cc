// What the compiler must refuse, for misuse_check.py: each part between #ifdef and #endif is compiled alone, and the
// compiler's words must match the expression in the line above it. Without any of them the file compiles. What g++ 12 lets
// pass (it does not heed [[nodiscard]] in a co_await) is marked `refused by clang`; what is wrong with it alone is marked
// `refused by g++ 12`.

#if defined(MISUSE_KEPT_REFERENCE_TO_A_TEMPORARY) || defined(MISUSE_KEPT_TASK_OF_A_DEAD_LAMBDA)
#define WHARF_CORO_CHECK_LIFETIMES 1
#endif

#include <coroutine>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/auto_reset_event.h"
#include "wharf/coro/channel.h"
#include "wharf/coro/event.h"
#include "wharf/coro/generator.h"
#include "wharf/coro/latch.h"
#include "wharf/coro/mutex.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/semaphore.h"
#include "wharf/coro/shared_mutex.h"
#include "wharf/coro/shield.h"
#include "wharf/coro/task.h"
#include "wharf/coro/when_all.h"
#include "wharf/coro/when_any.h"
#ifdef MISUSE_CAPTURING_HANDLER
#include "wharf/ipc/dispatcher.h"
#endif

namespace wharf::coro {
namespace {

Task<int> number(int n) { co_return n; }
Task<void> nothing() { co_return; }

// refused: this lambda captures, and its captures die before the task ends
#ifdef MISUSE_SPAWN_OF_A_CAPTURING_LAMBDA
void misuse(Scope& scope, int n) {
  scope.spawn([n]() -> Task<void> { co_await number(n); });
}
#endif

// refused: this lambda captures, and a coroutine does not keep its captures
#ifdef MISUSE_CAPTURING_HANDLER
void misuse(ipc::Dispatcher& dispatcher, int n) {
  dispatcher.on(1, [n](ipc::Message) -> Task<void> { co_await number(n); });
}
#endif

// refused by g++ 12: would destroy what this lambda captures twice
#ifdef MISUSE_BODY_THAT_CAPTURES_WHAT_HAS_A_DESTRUCTOR
Task<void> misuse(std::string text) {
  co_await with_scope([text](Scope& scope) -> Task<void> {
    scope.spawn(nothing());
    co_return;
  });
}
#endif

// refused: no matching|no match|constraint
#ifdef MISUSE_SPAWN_OF_A_TASK_WITH_A_VALUE
void misuse(Scope& scope) { scope.spawn(number(1)); }
#endif

// refused by clang 18: temporary whose address is used as value of local variable
#ifdef MISUSE_KEPT_REFERENCE_TO_A_TEMPORARY
Task<std::size_t> length(const std::string& text) { co_return text.size(); }
Task<void> misuse() {
  Task<std::size_t> kept = length(std::string("gone"));
  co_await std::move(kept);
}
#endif

// refused by clang 18: temporary whose address is used as value of local variable
#ifdef MISUSE_KEPT_TASK_OF_A_DEAD_LAMBDA
Task<void> misuse(int n) {
  Task<int> kept = [n]() -> Task<int> { co_return n; }();
  co_await std::move(kept);
}
#endif

// refused: a Generator yields values, or references
#ifdef MISUSE_GENERATOR_OF_NOTHING
Generator<void> misuse() { co_return; }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_NEXT
void misuse(Generator<int>& numbers) { numbers.next(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_SHIELD
void misuse() { shield(nothing()); }
#endif

// refused: discards qualifiers|await_ready|not viable
#ifdef MISUSE_AWAIT_OF_A_NAMED_TASK
Task<void> misuse() {
  Task<int> task = number(1);
  co_await task;
}
#endif

// refused: deleted
#ifdef MISUSE_COPY_OF_A_TASK
Task<int> misuse(Task<int>& task) { return task; }
#endif

// refused: constraints|await_suspend|no matching
#ifdef MISUSE_AWAIT_IN_A_FOREIGN_COROUTINE
struct Foreign {
  struct promise_type {
    Foreign get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};
Foreign misuse() { co_await number(1); }
#endif

// refused: a task gives a reference to what lives on, not to a temporary
#ifdef MISUSE_REFERENCE_TO_A_TEMPORARY_AS_RESULT
Task<const std::string&> misuse() { co_return std::string("gone"); }
#endif

// refused: frames hold nothing that is aligned to more than 16 bytes
#ifdef MISUSE_CHANNEL_OF_OVERALIGNED_ITEMS
struct alignas(64) Line {
  int n;
};
Channel<Line> misuse{1};
#endif

// refused: a task's result is aligned to at most 16 bytes
#ifdef MISUSE_OVERALIGNED_RESULT
struct alignas(64) Line {
  int n;
};
Task<Line> misuse() { co_return Line{1}; }
#endif

// refused: no matching|constraints
#ifdef MISUSE_WHEN_ANY_OF_NOTHING
Task<void> misuse() { co_await when_any(); }
#endif

// refused: a Task does nothing until it is awaited or spawned
#ifdef MISUSE_DISCARDED_TASK
void misuse() { nothing(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_WHEN_ALL
void misuse() { when_all(nothing(), nothing()); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_WHEN_ALL_OF_A_VECTOR
void misuse(std::vector<Task<int>> tasks) { when_all(std::move(tasks)); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_WHEN_ANY
void misuse() { when_any(nothing(), nothing()); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_JOIN
void misuse(Scope& scope) { scope.join(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_WAIT
void misuse(Event& event) { event.wait(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_SEND
void misuse(Channel<int>& channel) { channel.send(1); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_RECEIVE
void misuse(Channel<int>& channel) { channel.receive(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_YIELD
void misuse() { yield(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_STOP_TOKEN
void misuse() { stop_token(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_AUTO_RESET_WAIT
void misuse(AutoResetEvent& event) { event.wait(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_LATCH_WAIT
void misuse(Latch& latch) { latch.wait(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_LOCK
void misuse(Mutex& mutex) { mutex.lock(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_TRY_LOCK
void misuse(Mutex& mutex) { mutex.try_lock(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_SHARED_LOCK
void misuse(SharedMutex& mutex) { mutex.lock_shared(); }
#endif

// refused: nodiscard
#ifdef MISUSE_DISCARDED_ACQUIRE
void misuse(Semaphore& semaphore) { semaphore.acquire(); }
#endif

// refused by clang: the mutex is unlocked when the Lock goes
#ifdef MISUSE_LOCK_WITHOUT_A_NAME
Task<void> misuse(Mutex& mutex) { co_await mutex.lock(); }
#endif

// refused by clang: the permits are given back when the Permit goes
#ifdef MISUSE_PERMIT_WITHOUT_A_NAME
Task<void> misuse(Semaphore& semaphore) { co_await semaphore.acquire(); }
#endif

}  // namespace
}  // namespace wharf::coro
