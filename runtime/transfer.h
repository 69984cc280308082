// Transfers that take more than one operation: all of a buffer, or a part of a file, to a socket.
//
// Errors:    those of io.h; how much had been sent by then is lost with them
// Cancel:    honoured between two operations and inside each.
// Threads:   the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

// Sends all of `bytes`, which stay in place until it has ended. An empty span sends nothing.
coro::Task<Status> send_all(int socket, std::span<const std::byte> bytes, IoOptions options = {});

// Sends `count_bytes` of `file` from `offset`, in the kernel, without a copy. Gives the number of bytes
// sent; it is less than asked for if the file ends before.
//
// Ownership: both fds are borrowed until it has ended. The socket's open file description belongs to
//            this process alone: its mode is switched around each step.
// Cost:      a step is 256 KiB at most, and others have their turn between steps. A part of the file
//            that is not in memory is read from the disk by this thread.
coro::Task<StatusOr<std::uint64_t>> send_file(int socket, int file, std::uint64_t offset, std::uint64_t count_bytes,
                                              IoOptions options = {});

}  // namespace wharf::runtime
