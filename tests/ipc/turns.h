// Waiting for the reactor itself.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>

#include "wharf/coro/task.h"
#include "wharf/runtime/reactor.h"

namespace wharf::test {

// `co_await next_turn()`: until the reactor has been to the kernel, and has flushed what was sent before.
inline coro::Task<void> next_turn() {
  runtime::Reactor& reactor = runtime::Reactor::current();
  const std::uint64_t end = reactor.counters().turns + 2;
  while (reactor.counters().turns < end) co_await coro::yield();
}

// A deadline, so many milliseconds from now.
inline std::int64_t in_ms(std::int64_t duration_ms) {
  return runtime::Reactor::current().now_ns() + duration_ms * 1'000'000;
}

}  // namespace wharf::test
