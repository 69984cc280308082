// From here on this process makes no system call but exit_group: the kernel kills it with SIGSYS for any other.
//
// Threads: all of the process.
#pragma once

namespace wharf::test {

// False: the kernel has no seccomp. Under sanitizers, which make calls of their own, it does nothing.
bool forbid_system_calls() noexcept;

}  // namespace wharf::test
