// Closing file descriptors whose close may block: of a FUSE or NFS file, of a TCP socket with SO_LINGER, of anything that
// somebody else chose. Helper threads close them; the caller goes on.
//
// Threads rather than io_uring's close: that runs the last close of a socket on the submitting thread, which is the one to
// spare, and it would tie the descriptor's end to a reactor that may be gone by then.
//
// Threads: any.
#pragma once

#include <cstddef>

#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime {

// Descriptors that may wait here at once. Who takes descriptors from others stops at half of it (closing_room()), so that
// the rest is for those taken already.
inline constexpr std::size_t kClosingCountMax = 4096;
// Helper threads, started as needed. So many closes may hang before the next one has to wait.
inline constexpr std::size_t kClosingThreadCountMax = 4;

// Takes `fd`, and closes it soon.
//
// Errors: none. With kClosingCountMax waiting, or no thread to be had, it is closed at once, here.
// Cost:   a lock, and a wake-up if the helpers are idle; no allocation.
void close_elsewhere(UniqueFd fd) noexcept;

// How many are taken and not closed yet.
std::size_t closing_count() noexcept;
// How many more may be taken from others.
std::size_t closing_room() noexcept;

}  // namespace wharf::runtime
