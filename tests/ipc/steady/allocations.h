// Counts what this program takes from the heap, by standing in for malloc and its kin.
//
// Under sanitizers, which need malloc themselves, nothing is counted.
// Threads: any.
#pragma once

#include <cstdint>

namespace wharf::test {

// Since the program began.
std::uint64_t allocation_count() noexcept;

}  // namespace wharf::test
