// The atomics of everything that two processes share, through one alias: a test may put an explorer in its place that
// switches, or kills, at each access.
#pragma once

#include <atomic>
#include <cstdint>

namespace wharf::shm {

template <class T>
using Atomic = std::atomic<T>;

// For the one shared byte that lies in a record, beside plain ones.
template <class T>
using AtomicRef = std::atomic_ref<T>;

static_assert(Atomic<std::uint64_t>::is_always_lock_free,
              "a lock inside an atomic would be private to each process");

}  // namespace wharf::shm
