// co_invoke: calls a function that returns a task, and keeps the function and its arguments until the task has ended. So a
// lambda that captures may be a coroutine, and be spawned or kept:
//
//     scope.spawn(co_invoke([this, id]() -> Task<void> { ... }));
//
// Ownership: the function and its arguments are copied or moved into the task's frame. What a capture refers to is the
//            caller's affair. g++ 12 destroys a lambda twice that captures a string, say, and stands in an awaited
//            expression: there `auto task = co_invoke(...)` comes first, and then `co_await std::move(task)`.
// Cancel:    reaches the task.
// Threads:   one executor's thread.
// Cost:      a frame beside the task's own.
#pragma once

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include "wharf/coro/task.h"

namespace wharf::coro {

template <class F, class... Args>
  requires std::same_as<std::invoke_result_t<F&, Args...>, Task<typename std::invoke_result_t<F&, Args...>::value_type>>
auto co_invoke(F function, Args... args) -> std::invoke_result_t<F&, Args...> {
  if constexpr (std::is_member_pointer_v<F>) {
    auto task = std::invoke(function, std::forward<Args>(args)...);
    co_return co_await std::move(task);
  } else {
    auto task = function(std::forward<Args>(args)...);
    co_return co_await std::move(task);
  }
}

}  // namespace wharf::coro
