// Functions that block, for a thread that may: a library's call, work that takes long, name resolution.
//
//     StatusOr<std::string> result = co_await run_blocking(compress, text);
//
// The function runs on one of the reactor's few threads (ReactorOptions::blocking_threads_max), which start when they are
// needed and end with the reactor. The task that awaits it goes on, on the reactor, when the function has ended.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "wharf/coro/compiler.h"
#include "wharf/runtime/detail/blocking_awaiter.h"

namespace wharf::runtime {

// Calls function(arguments...). Gives what that gave: a Status or a StatusOr as it is, another T as StatusOr<T>, nothing as
// Status. What it threw comes out of the co_await.
//
// Ownership: function and arguments are moved into the awaiter, which the task's frame holds until the function has ended. It
//            runs on another thread: what it shares with others is its maker's business, and it must not touch the reactor
//            but by post(). g++ 12 destroys a lambda twice that captures a string, say: there it is refused; pass arguments.
// Errors:    Cancelled          the task was stopped before the function began, and it never will
//            ResourceExhausted  blocking_queue_max functions wait already, or no thread is to be had; it did not begin
// Cancel:    honoured while the function waits for a thread. One that has begun cannot be interrupted: the co_await is over
//            when it has ended, with its result.
// Threads:   the reactor's; the function's own.
// Cost:      no allocation of its own; a lock, and two wake-ups: some ten microseconds.
template <class F, class... Arguments>
  requires std::invocable<F&, Arguments...>
auto run_blocking(F function, Arguments... arguments) {
  static_assert(!WHARF_CORO_CLOSURES_DIE_TWICE || std::is_trivially_destructible_v<F>,
                "run_blocking: g++ 12 would destroy what this lambda captures twice; pass it as "
                "arguments instead");
  auto bound = [function = std::move(function),
                ... arguments = std::move(arguments)]() mutable -> std::invoke_result_t<F&, Arguments...> {
    return std::invoke(function, std::move(arguments)...);
  };
  return detail::BlockingAwaiter<decltype(bound)>(std::move(bound));
}

}  // namespace wharf::runtime
