// What the two sides of a kill test say to each other, whichever of them sends: ten messages in every way that there is,
// then calls. scripted_peer.cc is the side that dies, survivor.cc the one that does not.
//
// Threads: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "wharf/ipc/options.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {

struct ScriptLine {
  std::size_t bytes;
  bool loan = false;         // written in place, where there is shared memory
  std::size_t fd_count = 0;  // numbered with the line
  bool alone = true;         // else published with the next one
};

// The number of a line is its message's type, and the seed of its payload.
inline constexpr std::array<ScriptLine, 10> kScript = {{
    {.bytes = 0},
    {.bytes = 40},
    {.bytes = 3'000, .loan = true},
    {.bytes = 40'000},
    {.bytes = 10, .fd_count = 2},
    {.bytes = 5'000, .fd_count = 1},
    {.bytes = 100, .alone = false},
    {.bytes = 2'000, .alone = false},
    {.bytes = 0, .fd_count = 1, .alone = false},
    {.bytes = 700},
}};

// Requests, by type.
enum ScriptCall : std::uint32_t {
  kGiveBack = 1000,   // answered with the request's own memory
  kCopyBack,          // ... with memory of the answerer
  kHoldUntilRelease,  // answered when the next one comes
  kRelease,           // everything that was received goes home
  kAside,             // no request: belongs to no line, and is dropped
};
inline constexpr std::size_t kCallBytes = 20'000;

// An arena that one block fills, so that somebody waits for memory.
inline constexpr std::size_t kArenaBytes = 256 * 1024;

inline ipc::PortOptions script_options(bool shared_memory) {
  ipc::PortOptions options;
  options.shared_memory = shared_memory;
  options.lane.arena_bytes_max = kArenaBytes;
  return options;
}

}  // namespace wharf::test
