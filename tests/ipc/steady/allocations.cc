#include "wharf/tests/ipc/steady/allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "wharf/coro/compiler.h"

namespace wharf::test {
namespace {

std::atomic<std::uint64_t> count{0};

}  // namespace

std::uint64_t allocation_count() noexcept { return count.load(std::memory_order_relaxed); }

#if !WHARF_SANITIZED
void count_allocation() noexcept;
void count_allocation() noexcept { count.fetch_add(1, std::memory_order_relaxed); }
#endif

}  // namespace wharf::test

#if !WHARF_SANITIZED
// What glibc's malloc does, under the names that it keeps for those who replace it. operator new calls malloc.
extern "C" {
void* __libc_malloc(std::size_t bytes);                           // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t bytes);        // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t bytes);            // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t bytes);  // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t bytes) {
  wharf::test::count_allocation();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  wharf::test::count_allocation();
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  wharf::test::count_allocation();
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  wharf::test::count_allocation();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  wharf::test::count_allocation();
  *memory = __libc_memalign(alignment, bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}
}
#endif
