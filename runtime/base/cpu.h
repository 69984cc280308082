// What a processor has for memory that threads share, where the language has no word for it.
#pragma once

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

}  // namespace wharf::runtime
