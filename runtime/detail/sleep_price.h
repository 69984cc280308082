// SleepPrice: what it costs to sleep until somebody wakes us, measured on the machine and the backend at hand.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>

#include "wharf/runtime/backend.h"

namespace wharf::runtime::detail {

struct SleepPrice {
  std::int64_t late_ns = 25'000;  // from the event to the sleeper's next instruction
  std::int64_t wake_ns = 2'000;   // of the waker's system call
};

// The best of a few short sleeps: what disturbed the others is not the price.
//
// Cost: about 0.2 ms; at most 0.5 ms and one sleep. The machine may add to that.
SleepPrice measure_sleep_price(Backend& backend) noexcept;

}  // namespace wharf::runtime::detail
