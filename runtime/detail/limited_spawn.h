// limited_spawn: starts a program under resource limits, which posix_spawn knows nothing of: they are to be in force before the
// program's first instruction.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <span>

#include "wharf/runtime/process.h"

namespace wharf::runtime::detail {

// A descriptor that the child gets under a number.
struct FdMove {
  int fd;
  int number;
};

struct LimitedSpawn {
  const char* path;
  char* const* argv;
  char* const* environment;
  const char* directory;  // null: stay
  std::span<const FdMove> moves;
  std::span<const int> closed;
  int close_from;
  std::span<const SpawnOptions::Limit> limits;
  SpawnOptions::Group group;
};

// Every signal is unblocked and at its default in the child. Gives 0 and the child's number, or minus the errno of the step
// that failed; then there is no child. Blocks until the program has started.
int limited_spawn(const LimitedSpawn& spawn, pid_t& pid) noexcept;

}  // namespace wharf::runtime::detail
