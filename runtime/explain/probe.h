// The probes of `wharf explain`. Each tries the thing itself, on descriptors of its own, and leaves nothing behind.
//
// Threads: any.
#pragma once

#include <vector>

#include "wharf/runtime/explain/finding.h"

namespace wharf::runtime::explain {

// io_uring, and what depends on it.
std::vector<Finding> probe_uring();
// What the rest of the kernel gives: memory files, descriptors, processes.
std::vector<Finding> probe_kernel();
// Limits of this process and machine.
std::vector<Finding> probe_limits();

// All of them, and what wharf chooses here.
Explanation explain();

}  // namespace wharf::runtime::explain
