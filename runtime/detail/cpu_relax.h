// What a thread does between two looks at memory that another one writes.
#pragma once

namespace wharf::runtime::detail {

inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");  // "yield" does nothing on most cores
#endif
}

}  // namespace wharf::runtime::detail
