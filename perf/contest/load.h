// What one run of a contest is to do: which case, how large, where, and for how long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace wharf::perf {

enum class Placement {
  kSplit,  // the client on one core, the servers on the other
  kSame,   // all on one core
  kFree,   // where the kernel puts them
};

enum class Mode {
  kAwake,    // both sides poll and never sleep
  kAsleep,   // whoever has nothing to do sleeps at once
  kDefault,  // as the library behaves when nothing is set
};

struct Load {
  std::string what;                // the case, for instance "round_trip": see perf/contest/README.md
  std::string contender;           // whose turn it is, for instance "zeromq"
  std::size_t payload_bytes = 64;  // a multiple of 16
  Placement placement = Placement::kSplit;
  Mode mode = Mode::kDefault;
  unsigned count = 1;                      // of what the case counts: senders, workers, links, calls in flight
  std::int64_t duration_ns = 200'000'000;  // of what is measured; a fifth of it goes before, unmeasured
};

}  // namespace wharf::perf
