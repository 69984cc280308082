#include "wharf/coro/frame_cache.h"

#include <atomic>
#include <new>
#include <utility>

#include "wharf/coro/compiler.h"
#include "wharf/coro/detail/fail.h"
#include "wharf/coro/frame_memory.h"

namespace wharf::coro {
namespace {

using Stacks = detail::FrameStacks;

// Where the memory comes from: null is operator new.
constexpr std::size_t kFrameAlignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
constinit std::atomic<std::pmr::memory_resource*> frame_memory{nullptr};
constinit std::atomic<bool> memory_was_used{false};

void* take_memory(std::size_t bytes) {
  // Looked at first, so that threads do not write one line at every frame.
  if (!memory_was_used.load(std::memory_order_relaxed)) {
    memory_was_used.store(true, std::memory_order_relaxed);
  }
  std::pmr::memory_resource* const memory = frame_memory.load(std::memory_order_acquire);
  return memory != nullptr ? memory->allocate(bytes, kFrameAlignment) : ::operator new(bytes);
}

void give_memory_back(void* frame, std::size_t bytes) noexcept {
  std::pmr::memory_resource* const memory = frame_memory.load(std::memory_order_acquire);
  if (memory != nullptr) {
    memory->deallocate(frame, bytes, kFrameAlignment);
  } else {
    ::operator delete(frame);
  }
}

constexpr std::size_t bytes_of(std::size_t frame_class) noexcept { return (frame_class + 1) * kFrameClassBytes; }
// What a frame of `bytes` takes.
constexpr std::size_t rounded(std::size_t bytes) noexcept {
  return Stacks::keeps(bytes) ? bytes_of(Stacks::class_of(bytes)) : bytes;
}

WHARF_NOINLINE Stacks& stacks() noexcept { return detail::this_thread_frames; }

void trim(Stacks& here) noexcept {
  for (std::size_t i = 0; i < here.stacks.size(); ++i) {
    detail::FrameStack& stack = here.stacks[i];
    while (*stack.top != nullptr) {
      void* const frame = *stack.top--;
      give_memory_back(frame, bytes_of(i));
      ++here.trimmed;
    }
  }
}

// Frees at the thread's end what it keeps.
struct Closer {
  ~Closer() {
    Stacks& here = stacks();
    here.closed = true;
    trim(here);
    for (detail::FrameStack& stack : here.stacks) {
      if (stack.has_room()) delete[] stack.top;
      stack = {};
    }
  }
};

// Makes room for freed frames. Without memory for it there is none, and they are freed.
void make_room(detail::FrameStack& stack) noexcept {
  static thread_local const Closer closer;
  static_cast<void>(&closer);
  void** const places = new (std::nothrow) void*[1 + kFramesCachedMax];
  if (places == nullptr) return;
  *places = nullptr;
  stack = {places, places + kFramesCachedMax};
}

}  // namespace

constinit thread_local Stacks detail::this_thread_frames;

WHARF_NOINLINE void* detail::make_frame(std::size_t bytes) {
  void* const memory = take_memory(rounded(bytes));
  FrameStacks& here = stacks();
  ++here.from_malloc;
  ++here.allocated;
  return memory;
}

WHARF_NOINLINE void detail::free_rarely(void* frame, std::size_t bytes) noexcept {
  FrameStacks& here = stacks();
  if (FrameStacks::keeps(bytes) && !here.closed) {
    FrameStack& stack = here.stacks[FrameStacks::class_of(bytes)];
    if (!stack.has_room()) make_room(stack);
    if (here.put(frame, bytes)) return;
  }
  ++here.freed_at_once;
  give_memory_back(frame, rounded(bytes));
}

FrameCounters frame_counters() noexcept {
  const Stacks& here = stacks();
  FrameCounters counters{.allocated = here.allocated, .from_malloc = here.from_malloc};
  const std::uint64_t taken = here.allocated - here.from_malloc;
  counters.freed = taken + here.trimmed + here.freed_at_once;
  for (std::size_t i = 0; i < here.stacks.size(); ++i) {
    const std::size_t count = here.stacks[i].count();
    counters.freed += count;
    counters.cached_bytes += count * bytes_of(i);
  }
  return counters;
}

void trim_frame_cache() noexcept { trim(stacks()); }

void set_frame_memory(std::pmr::memory_resource& memory) noexcept {
  if (frame_memory.load(std::memory_order_relaxed) != nullptr) {
    detail::fail("set_frame_memory() was called twice");
  }
  if (memory_was_used.load(std::memory_order_relaxed)) {
    detail::fail("set_frame_memory() was called after the first task was made");
  }
  frame_memory.store(&memory, std::memory_order_release);
}

}  // namespace wharf::coro
