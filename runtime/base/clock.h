// The monotonic clock. Code that a simulated kernel should drive asks its Reactor instead.
//
// Units:   nanoseconds since an unspecified start. Clock steps do not move it.
// Threads: any.
// Cost:    about 20 ns; no system call where the kernel offers the vDSO.
#pragma once

#include <cstdint>
#include <limits>

namespace wharf::runtime {

// A deadline that never comes.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

std::int64_t now_ns() noexcept;

// `now + duration`, kept below kNever; a negative duration is now.
constexpr std::int64_t deadline_after(std::int64_t now, std::int64_t duration_ns) noexcept {
  if (duration_ns <= 0) return now;
  return duration_ns >= kNever - now ? kNever : now + duration_ns;
}

}  // namespace wharf::runtime
