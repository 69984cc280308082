// The cpus that this process may run on, and threads that stay on one.
//
// Threads: any.
#pragma once

#include <vector>

#include "wharf/runtime/base/status.h"

namespace wharf::runtime {

// Numbers of the cpus that the calling thread may run on, ascending; at least one.
std::vector<int> allowed_cpus();

// Keeps the calling thread on one cpu for as long as it lives; then it may run where it might before.
class PinnedThread {
 public:
  PinnedThread() noexcept = default;
  PinnedThread(const PinnedThread&) = delete;
  PinnedThread& operator=(const PinnedThread&) = delete;
  ~PinnedThread();

  // Errors: InvalidArgument  there is no such cpu, or this process may not use it
  Status pin_to(int cpu);

 private:
  std::vector<int> before_;
};

}  // namespace wharf::runtime
