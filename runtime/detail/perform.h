// The plain system call of an operation: what a backend without io_uring, and its threads, have to carry out. A new
// Opcode needs a case in each of these two functions, and nothing else there.
//
// Threads: any. The operation, and what it points to, stay unchanged meanwhile.
#pragma once

#include <cstdint>

#include "wharf/runtime/backend.h"

namespace wharf::runtime::detail {

// Makes the system call of `operation` on `file`, which is operation.fd or a duplicate of it (-1 if the operation has
// none). Gives what io_uring would: 0 or more, or minus the errno; errno stays as it was.
//
// `nonblocking`: it never waits; -EAGAIN says that it would have to. Then one waits until the file has an event of
// awaited_events(), or calls from another thread with `nonblocking` false. Descriptors keep their mode, which other
// processes share; a socket's alone is switched for the moment of its own connect.
//
// Errors: -EAGAIN also for a file whose data may have to come from a disk. -EINTR as the call gives it.
std::int32_t perform(const Operation& operation, int file, bool nonblocking) noexcept;

// The POLL* events after which another try may do. 0: nothing announces it (files, paths), or it must not be done by
// the reactor's thread at all: such an operation is for a thread that may block.
std::uint32_t awaited_events(const Operation& operation) noexcept;

}  // namespace wharf::runtime::detail
