#include "wharf/coro/frame_cache.h"

#include <array>
#include <atomic>
#include <new>

#include "wharf/coro/compiler.h"
#include "wharf/coro/detail/fail.h"
#include "wharf/coro/frame_memory.h"

namespace wharf::coro {
namespace {

constexpr std::size_t kClassCount = kFrameBytesMax / kFrameClassBytes;

// A frame that waits for its next use. It says how many lie below it, so that no counter is written for each frame: a
// number that is read and written twice for each await is what the processor waits for.
struct FreeFrame {
  FreeFrame* next;
  std::uint32_t count;  // of these, with this one
};

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

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return (bytes - 1) / kFrameClassBytes;
}
constexpr std::size_t bytes_of(std::size_t frame_class) noexcept {
  return (frame_class + 1) * kFrameClassBytes;
}
constexpr bool is_cached(std::size_t bytes) noexcept {
  return !WHARF_SANITIZED && bytes <= kFrameBytesMax;
}

std::uint32_t count_of(const FreeFrame* first) noexcept {
  return first != nullptr ? first->count : 0;
}

// Constant-initialised, and without a destructor, so that a thread reaches it without asking whether it is there.
struct Cache {
  std::array<FreeFrame*, kClassCount> first{};  // of each class
  std::uint32_t count_max =
      0;  // of each class; 0 before the thread's first frame comes back, and when it ends
  bool closed = false;  // the thread is ending: what comes back late is freed at once
  std::uint64_t allocated = 0;
  std::uint64_t freed = 0;
  std::uint64_t from_malloc = 0;

  void trim() noexcept {
    for (std::size_t i = 0; i < kClassCount; ++i) {
      while (FreeFrame* frame = first[i]) {
        first[i] = frame->next;
        give_memory_back(frame, bytes_of(i));
      }
    }
  }
};

constinit thread_local Cache this_cache;

// For whoever may be inlined into a coroutine: see WHARF_NOINLINE.
WHARF_NOINLINE Cache& cache() noexcept { return this_cache; }

// Frees at the thread's end what it keeps.
struct Closer {
  ~Closer() {
    Cache& here = cache();
    here.closed = true;
    here.count_max = 0;
    here.trim();
  }
};

WHARF_NOINLINE void* make_frame(std::size_t bytes) {
  void* const memory = take_memory(is_cached(bytes) ? bytes_of(class_of(bytes)) : bytes);
  ++cache().from_malloc;
  return memory;
}

void keep(Cache& here, void* frame, std::size_t bytes) noexcept {
  FreeFrame*& first = here.first[class_of(bytes)];
  first = ::new (frame) FreeFrame{first, count_of(first) + 1};
}

// The first frame of a thread, one too many, and one that is too large.
WHARF_NOINLINE void free_rarely(void* frame, std::size_t bytes) noexcept {
  Cache& here = cache();
  if (here.count_max == 0 && !here.closed) {
    static thread_local const Closer closer;
    static_cast<void>(&closer);
    here.count_max = kFramesCachedMax;
  }
  if (is_cached(bytes) && count_of(here.first[class_of(bytes)]) < here.count_max) {
    keep(here, frame, bytes);
  } else {
    give_memory_back(frame, is_cached(bytes) ? bytes_of(class_of(bytes)) : bytes);
  }
}

}  // namespace

WHARF_NOINLINE void* allocate_frame(std::size_t bytes) {
  Cache& here = this_cache;
  if (is_cached(bytes)) {
    FreeFrame*& first = here.first[class_of(bytes)];
    if (FreeFrame* frame = first; frame != nullptr) {
      first = frame->next;
      ++here.allocated;
      return frame;
    }
  }
  void* const memory = make_frame(bytes);
  ++here.allocated;
  return memory;
}

WHARF_NOINLINE void free_frame(void* frame, std::size_t bytes) noexcept {
  Cache& here = this_cache;
  ++here.freed;
  if (!is_cached(bytes) || count_of(here.first[class_of(bytes)]) >= here.count_max)
    return free_rarely(frame, bytes);
  keep(here, frame, bytes);
}

FrameCounters frame_counters() noexcept {
  const Cache& here = cache();
  FrameCounters counters{here.allocated, here.freed, here.from_malloc, 0};
  for (std::size_t i = 0; i < kClassCount; ++i)
    counters.cached_bytes += count_of(here.first[i]) * bytes_of(i);
  return counters;
}

void trim_frame_cache() noexcept { cache().trim(); }

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
