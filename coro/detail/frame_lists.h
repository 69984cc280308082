// What one thread keeps of freed frames: a list for each size class. See frame_cache.h.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

#include "wharf/coro/compiler.h"

namespace wharf::coro::detail {

inline constexpr std::size_t kFrameListBytes = 64;       // the size classes are its multiples
inline constexpr std::size_t kFrameListBytesMax = 2048;  // of the largest

// A frame that waits for its next use. It says how many lie below it, so that no counter is written for each frame: a
// number that is read and written twice for each await is what the processor waits for.
struct FreeFrame {
  FreeFrame* next;
  std::uint32_t count;  // of these, with this one
};
// Ends every list, so that nothing asks whether there is a first one before it looks at its count.
inline constinit FreeFrame no_free_frame{nullptr, 0};

// Constant-initialised, and without a destructor, so that a thread reaches it without asking whether it is there.
struct FrameLists {
  static constexpr std::size_t class_of(std::size_t bytes) noexcept { return (bytes - 1) / kFrameListBytes; }
  // Under sanitizers every frame is a plain allocation.
  static constexpr bool keeps(std::size_t bytes) noexcept { return !WHARF_SANITIZED && bytes <= kFrameListBytesMax; }

  // Null: there is none of the size.
  void* take(std::size_t bytes) noexcept {
    FreeFrame*& list = first[class_of(bytes)];
    FreeFrame* const frame = list;
    if (frame->count == 0) return nullptr;
    list = frame->next;
    ++allocated;
    return frame;
  }
  // False: there are enough of the size.
  bool put(void* frame, std::size_t bytes) noexcept {
    FreeFrame*& list = first[class_of(bytes)];
    const std::uint32_t count = list->count;
    if (count >= count_max) return false;
    list = ::new (frame) FreeFrame{list, count + 1};
    return true;
  }

  using Firsts = std::array<FreeFrame*, kFrameListBytesMax / kFrameListBytes>;
  Firsts first = none();        // of each class
  std::uint32_t count_max = 0;  // of each class; 0 before the thread's first frame comes back, and when it ends
  bool closed = false;          // the thread is ending: what comes back late is freed at once
  // Those that were put here are not counted: as many as were taken (allocated, but not from malloc), are still here, or
  // were trimmed.
  std::uint64_t allocated = 0;
  std::uint64_t from_malloc = 0;
  std::uint64_t trimmed = 0;
  std::uint64_t freed_at_once = 0;

 private:
  static constexpr Firsts none() noexcept {
    Firsts firsts{};
    firsts.fill(&no_free_frame);
    return firsts;
  }
};

extern constinit thread_local FrameLists this_thread_frames;

// What the lists do not serve: the first frame of a thread, one too many or too few, and one that is too large.
void* make_frame(std::size_t bytes);
void free_rarely(void* frame, std::size_t bytes) noexcept;

}  // namespace wharf::coro::detail
