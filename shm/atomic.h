// The atomics of everything that two processes share, through these aliases. A build for tests may put others in their
// place, that switch, or kill, at each access: WHARF_ATOMIC_HEADER then names the header that defines both.
#pragma once

#include <atomic>
#include <cstdint>

#ifdef WHARF_ATOMIC_HEADER
#include WHARF_ATOMIC_HEADER
#else
namespace wharf::shm {
template <class T>
using Atomic = std::atomic<T>;
// For the one shared byte that lies in a record, beside plain ones.
template <class T>
using AtomicRef = std::atomic_ref<T>;
}  // namespace wharf::shm
#endif

namespace wharf::shm {

static_assert(Atomic<std::uint64_t>::is_always_lock_free, "a lock inside an atomic would be private to each process");

}  // namespace wharf::shm
