// Memory that runs out: operator new of this program throws std::bad_alloc at the k-th call. malloc is left alone.
//
// Threads: any; all are counted together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wharf::test {

// From here on: the k-th allocation of at least `bytes_min` fails, and no other. 0: none does.
void fail_allocation(std::uint64_t k, std::size_t bytes_min = 0) noexcept;
// Ends that. True: it had failed.
bool allocation_failed() noexcept;

}  // namespace wharf::test
