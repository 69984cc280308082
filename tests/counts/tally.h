// What one side of a load has done, in counts that no clock has a part in: of its own, not of anybody's beside it.
//
// Threads: the reactor's.
#pragma once

#include <cstdint>

#include "wharf/ipc/counters.h"

namespace wharf::test {

struct Tally {
  std::uint64_t sent = 0;  // messages
  std::uint64_t received = 0;
  std::uint64_t allocations = 0;
  std::uint64_t system_calls = 0;  // as the runtime counts them
  std::uint64_t enters = 0;
  std::uint64_t turns = 0;
  std::uint64_t rings = 0;
  std::uint64_t wakes = 0;
  std::uint64_t sleeps = 0;
};

// Since the beginning, of this process, its current reactor, and the port that has `port`.
Tally tally_now(const ipc::PortCounters& port) noexcept;

Tally operator-(const Tally& late, const Tally& early) noexcept;

// One JSON object. `seen`: system calls as the kernel saw them; less than 0: unknown.
void print(const char* name, const Tally& tally, std::int64_t seen);

}  // namespace wharf::test
