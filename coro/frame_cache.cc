#include "wharf/coro/frame_cache.h"

#include <array>
#include <new>

#include "wharf/coro/compiler.h"

namespace wharf::coro {
namespace {

constexpr std::size_t kClassCount = kFrameBytesMax / kFrameClassBytes;

struct FreeFrame {
  FreeFrame* next;
};

struct Cache {
  struct Class {
    FreeFrame* first = nullptr;
    std::uint32_t count = 0;
  };
  std::array<Class, kClassCount> classes;
  FrameCounters counters;
  bool closed = false;  // the thread is ending: what comes back late is freed at once

  ~Cache() {
    closed = true;
    for (Class& c : classes) {
      while (FreeFrame* frame = c.first) {
        c.first = frame->next;
        ::operator delete(frame);
      }
    }
  }
};

WHARF_NOINLINE Cache& cache() noexcept {
  static thread_local Cache instance;
  return instance;
}

constexpr std::size_t class_of(std::size_t bytes) noexcept {
  return (bytes - 1) / kFrameClassBytes;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
  Cache& here = cache();
  ++here.counters.allocated;
  if (!WHARF_SANITIZED && bytes <= kFrameBytesMax) {
    Cache::Class& c = here.classes[class_of(bytes)];
    if (FreeFrame* frame = c.first; frame != nullptr) {
      c.first = frame->next;
      --c.count;
      return frame;
    }
    bytes = (class_of(bytes) + 1) * kFrameClassBytes;
  }
  ++here.counters.from_malloc;
  return ::operator new(bytes);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  Cache& here = cache();
  ++here.counters.freed;
  if (!WHARF_SANITIZED && bytes <= kFrameBytesMax && !here.closed) {
    Cache::Class& c = here.classes[class_of(bytes)];
    if (c.count < kFramesCachedMax) {
      c.first = ::new (frame) FreeFrame{c.first};
      ++c.count;
      return;
    }
  }
  ::operator delete(frame);
}

FrameCounters frame_counters() noexcept { return cache().counters; }

}  // namespace wharf::coro
