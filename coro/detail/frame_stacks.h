// What one thread keeps of freed frames: a stack for each size class. See frame_cache.h.
//
// The stacks lie beside the frames and not in them. So a frame that comes back is not written, and a stack knows its bound
// without a number that each await would write twice.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "wharf/coro/compiler.h"

namespace wharf::coro::detail {

inline constexpr std::size_t kFrameStackBytes = 64;         // the size classes are its multiples
inline constexpr std::size_t kFrameStackBytesMax = 2048;    // of the largest
inline constexpr std::uint32_t kFrameStackCountMax = 1024;  // frames in a stack

// Below the lowest frame of every stack lies a null, so that nothing asks whether there is one before it looks. This is
// all of a stack that has no room yet.
inline constinit void* no_frame = nullptr;

struct FrameStack {
  bool has_room() const noexcept { return end != &no_frame; }
  std::size_t count() const noexcept {
    return has_room() ? kFrameStackCountMax - static_cast<std::size_t>(end - top) : 0;
  }

  void** top = &no_frame;  // the last that came, or the null
  void** end = &no_frame;  // the last place
};

// Constant-initialised, and without a destructor, so that a thread reaches it without asking whether it is there.
struct FrameStacks {
  static constexpr std::size_t class_of(std::size_t bytes) noexcept { return (bytes - 1) / kFrameStackBytes; }
  // Under sanitizers every frame is a plain allocation.
  static constexpr bool keeps(std::size_t bytes) noexcept { return !WHARF_SANITIZED && bytes <= kFrameStackBytesMax; }

  // Null: there is none of the size.
  void* take(std::size_t bytes) noexcept {
    FrameStack& stack = stacks[class_of(bytes)];
    void* const frame = *stack.top;
    if (frame == nullptr) return nullptr;
    --stack.top;
    ++allocated;
    return frame;
  }
  // False: there are enough of the size, or no room yet.
  bool put(void* frame, std::size_t bytes) noexcept {
    FrameStack& stack = stacks[class_of(bytes)];
    if (stack.top == stack.end) return false;
    *++stack.top = frame;
    return true;
  }

  std::array<FrameStack, kFrameStackBytesMax / kFrameStackBytes> stacks;  // of each class
  bool closed = false;  // the thread is ending: what comes back late is freed at once
  // Those that were put here are not counted: as many as were taken (allocated, but not from malloc), are still here, or
  // were trimmed.
  std::uint64_t allocated = 0;
  std::uint64_t from_malloc = 0;
  std::uint64_t trimmed = 0;
  std::uint64_t freed_at_once = 0;
};

extern constinit thread_local FrameStacks this_thread_frames;

// What the stacks do not serve: the first frame of a thread, one too many or too few, and one that is too large.
void* make_frame(std::size_t bytes);
void free_rarely(void* frame, std::size_t bytes) noexcept;

}  // namespace wharf::coro::detail
