// Why the kernel refuses something on this machine, and what can be done: for the Status of who was refused, and for
// `wharf explain`.
//
// Threads: any.
#pragma once

#include <string>

#include "wharf/runtime/base/status.h"

namespace wharf::runtime::detail {

// Either may be empty.
struct Refusal {
  std::string cause;
  std::string remedy;
};

// `error`: the errno of io_uring_setup, or of what follows it. Looks at the process's seccomp mode and
// at kernel.io_uring_disabled to name the cause.
Refusal explain_uring_refusal(int error);

// `error`: the errno of any other call; `call` is its name, and `since` the version of Linux that has it.
Refusal explain_call_refusal(int error, const std::string& call, const std::string& since);

// The first as a Status: one line for who runs the program.
Status uring_refusal(int error);

// Whether a seccomp filter looks at this process's system calls.
bool has_seccomp_filter();
// "6.1.0-18-amd64".
std::string kernel_release();
// The start of a file of /proc or /sys, 4 KiB at most; empty if there is none.
std::string read_proc(const char* path);

}  // namespace wharf::runtime::detail
