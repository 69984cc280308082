// Deadlines of operations, from the milliseconds of the options.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>

#include "wharf/runtime/reactor.h"

namespace appserver {

// On the reactor's clock.
inline std::int64_t deadline_in(std::int64_t duration_ms) {
  return wharf::runtime::deadline_after(wharf::runtime::Reactor::current().now_ns(), duration_ms * 1'000'000);
}

}  // namespace appserver
