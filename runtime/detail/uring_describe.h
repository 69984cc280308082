// An Operation in io_uring's words.
//
// Threads: the reactor's.
#pragma once

#include <liburing.h>

#include "wharf/runtime/backend.h"

namespace wharf::runtime::detail {

// Fills in `sqe`, all but whom its completion is for. What it needs of the operation's memory stays borrowed.
void uring_describe(const Operation& operation, io_uring_sqe& sqe) noexcept;

}  // namespace wharf::runtime::detail
