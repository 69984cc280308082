#include "wharf/tests/runtime/faults/failing_new.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace wharf::test {
namespace {

// How many allocations from now the failing one is; below 1: none.
std::atomic<std::int64_t> left{0};
std::atomic<std::size_t> smallest_counted{0};
std::atomic<bool> failed{false};

}  // namespace

void fail_allocation(std::uint64_t k, std::size_t bytes_min) noexcept {
  failed.store(false, std::memory_order_relaxed);
  smallest_counted.store(bytes_min, std::memory_order_relaxed);
  left.store(static_cast<std::int64_t>(k), std::memory_order_relaxed);
}

bool allocation_failed() noexcept {
  left.store(0, std::memory_order_relaxed);
  return failed.load(std::memory_order_relaxed);
}

void* allocate(std::size_t bytes);
void* allocate(std::size_t bytes) {
  if (left.load(std::memory_order_relaxed) > 0 && bytes >= smallest_counted.load(std::memory_order_relaxed) &&
      left.fetch_sub(1, std::memory_order_relaxed) == 1) {
    failed.store(true, std::memory_order_relaxed);
    throw std::bad_alloc();
  }
  void* memory = std::malloc(bytes != 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace wharf::test

void* operator new(std::size_t bytes) { return wharf::test::allocate(bytes); }
void* operator new[](std::size_t bytes) { return wharf::test::allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
