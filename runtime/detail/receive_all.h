// Receives with MSG_WAITALL, for a backend without io_uring: the flag means nothing to a call that does not wait.
//
// Threads: those of perform().
#pragma once

#include <cstdint>

#include "wharf/runtime/backend.h"

namespace wharf::runtime::detail {

// Whether the operation is one that goes on until it has all: MSG_WAITALL on a stream. Not one that only looks (MSG_PEEK), nor
// one with room for control data, which would belong to some of the bytes; io_uring does not either.
bool receives_all(const Operation& operation, int file) noexcept;

// Receives what is there of what is missing; `moved_bytes`, at first 0, holds between calls how much there has been. -EAGAIN: it
// is not all yet. Otherwise the result: all bytes; fewer at the stream's end, or on an error; or minus the errno, if there were
// none.
std::int32_t receive_more(const Operation& operation, int file, std::uint32_t& moved_bytes) noexcept;

// It shall not go on. Gives what it has come to; `moved_bytes` is not 0.
std::int32_t receive_no_more(const Operation& operation, std::uint32_t moved_bytes) noexcept;

}  // namespace wharf::runtime::detail
