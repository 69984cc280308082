// What is measured of wharf from outside, by a third process: `wharf_probe idle`, `memory` and `soak`. Each prints JSON of
// its own, and gives the program's exit status.
#pragma once

#include <cstdint>

namespace wharf::perf {

// Links that have each carried one message there and back, and rest, for so long: switches and CPU time of both processes.
// Exit status 1 unless there are none.
int probe_idle(unsigned links, double seconds);

// What each of so many idle links takes: resident memory of both processes, shared pages counted once.
int probe_memory(unsigned links);

struct SoakOptions {
  std::uint64_t messages = 1'000'000'000;
  unsigned slices = 20;
  bool same_core = false;  // both processes on the first core; otherwise on the first and the last
};
// A stream of 64-byte messages, each checked; a line for each slice: its mean time, and the resident memory of both processes
// at its end. Exit status 1 if a message was lost or damaged.
int probe_soak(const SoakOptions& options);

}  // namespace wharf::perf
