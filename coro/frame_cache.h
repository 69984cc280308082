// Where coroutine frames come from: a per-thread cache of freed frames, by size class.
//
// Cost:    about 3 ns for a frame of up to kFrameBytesMax that was freed before on this thread; malloc otherwise, or what
//          set_frame_memory() (frame_memory.h) put in its place.
//          A thread that frees one of a class takes 8 KiB from operator new for the class, once, to keep them in.
// Threads: any. A frame may be freed on another thread than its maker's: it then joins that thread's cache.
// Under sanitizers every frame is a plain allocation, so that a use after free is seen.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/coro/compiler.h"
#include "wharf/coro/detail/frame_stacks.h"

namespace wharf::coro {

inline constexpr std::size_t kFrameClassBytes = detail::kFrameStackBytes;   // the size classes are its multiples
inline constexpr std::size_t kFrameBytesMax = detail::kFrameStackBytesMax;  // larger frames go to malloc
inline constexpr std::uint32_t kFramesCachedMax =
    detail::kFrameStackCountMax;  // per class and thread; beyond it frames are freed

// Counters of the calling thread since it started.
struct FrameCounters {
  std::uint64_t allocated = 0;     // frames handed out
  std::uint64_t freed = 0;         // frames given back
  std::uint64_t from_malloc = 0;   // of the allocated: those that malloc had to make
  std::uint64_t cached_bytes = 0;  // now: kept for later frames
};

// Errors: throws std::bad_alloc, as operator new does; the task's caller sees it at the call, before anything ran.
[[nodiscard]] WHARF_USES_THREAD_LOCAL inline void* allocate_frame(std::size_t bytes) {
  if (detail::FrameStacks::keeps(bytes)) {
    if (void* frame = detail::this_thread_frames.take(bytes)) return frame;
  }
  return detail::make_frame(bytes);
}
WHARF_USES_THREAD_LOCAL inline void free_frame(void* frame, std::size_t bytes) noexcept {
  if (detail::FrameStacks::keeps(bytes) && detail::this_thread_frames.put(frame, bytes)) return;
  detail::free_rarely(frame, bytes);
}

FrameCounters frame_counters() noexcept;

// Gives back what the calling thread keeps for later frames: after a burst, say.
void trim_frame_cache() noexcept;

}  // namespace wharf::coro
