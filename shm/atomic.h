// The atomics of everything that two processes share, through one alias. A build for tests may put another in its place,
// that switches, or kills, at each access: WHARF_ATOMIC_HEADER then names the header that defines wharf::shm::Atomic.
#pragma once

#include <atomic>
#include <cstdint>

#ifdef WHARF_ATOMIC_HEADER
#include WHARF_ATOMIC_HEADER
#else
namespace wharf::shm {
template <class T>
using Atomic = std::atomic<T>;
}  // namespace wharf::shm
#endif

namespace wharf::shm {

// For the one shared byte that lies in a record, beside plain ones.
template <class T>
using AtomicRef = std::atomic_ref<T>;

static_assert(Atomic<std::uint64_t>::is_always_lock_free,
              "a lock inside an atomic would be private to each process");

}  // namespace wharf::shm
