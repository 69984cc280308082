// What a processor has for memory that threads share, where the language has no word for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wharf::runtime {

// What a thread does between two looks at memory that another one writes.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // "yield" does nothing on most cores
#endif
}

// Asks for a cache line that is going to be written: for itself alone, so that the write need not wait until the other core
// has given it up.
inline void prefetch_for_write(const void* line) noexcept {
#if defined(__x86_64__)
  // GCC's builtin asks for a shared copy unless it is told of a processor. Where it is not known (Intel before 2014) this
  // does nothing.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

// Copies bytes that were written a moment ago, word by word. What is still on its way to the cache is handed on from one
// word to another; a load wider than the stores that it covers waits until these have reached the cache, and so behind every
// store before them, also those to lines that another core has.
inline void copy_fresh(std::byte* target, const std::byte* source, std::size_t bytes) noexcept {
  constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  constexpr std::size_t kFreshBytesMax = 256;  // beyond it, the copy takes longer than the stores
  if (bytes < kWordBytes || bytes > kFreshBytesMax) {
    if (bytes != 0) std::memcpy(target, source, bytes);
    return;
  }
  const auto copy_word = [&](std::size_t at) {
    std::uint64_t word;
    std::memcpy(&word, source + at, kWordBytes);
    asm("" : "+r"(word));  // or the compiler makes wide moves of it again
    std::memcpy(target + at, &word, kWordBytes);
  };
  for (std::size_t at = 0; at + kWordBytes <= bytes; at += kWordBytes) copy_word(at);
  copy_word(bytes - kWordBytes);
}

}  // namespace wharf::runtime
