// stopped: what a task gives that is stopped while it waits.
//
//     EXPECT_EQ(harness.run(stopped(receive(socket))).code(), StatusCode::kCancelled);
#pragma once

#include <optional>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::test {

template <class T>
coro::Task<void> keep_result(coro::Task<T> task, std::optional<T>& result) {
  T given = co_await std::move(task);
  result.emplace(std::move(given));
}

// Starts `task`, and stops it: once the kernel has what it waits for, or before. Gives what it then gives.
template <class T>
coro::Task<T> stopped(coro::Task<T> task, bool in_kernel = true) {
  std::optional<T> result;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    scope.spawn(keep_result(std::move(task), result));
    co_await coro::yield();
    if (in_kernel) co_await next_turn();
    scope.cancel();
  });
  co_return *std::move(result);
}

}  // namespace wharf::test
