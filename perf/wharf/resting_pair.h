// Two child processes with links between them, each of which has carried a message there and back, and rests.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <vector>

#include "wharf/ipc/port_end.h"

namespace wharf::perf {

class RestingPair {
 public:
  // Returns when all links rest.
  explicit RestingPair(unsigned links);
  RestingPair(const RestingPair&) = delete;
  RestingPair& operator=(const RestingPair&) = delete;
  // Kills both.
  ~RestingPair();

  const std::array<pid_t, 2>& processes() const noexcept { return processes_; }

 private:
  std::atomic<int>* resting_;  // sides that do; shared with them
  std::array<pid_t, 2> processes_{};
};

}  // namespace wharf::perf
