// Why io_uring is refused on this machine, and what can be done: one line for who runs the program.
#pragma once

#include "wharf/runtime/base/status.h"

namespace wharf::runtime::detail {

// `error`: the errno of io_uring_setup, or of what follows it. Looks at the process's seccomp mode and
// at kernel.io_uring_disabled to name the cause.
Status uring_refusal(int error);

}  // namespace wharf::runtime::detail
