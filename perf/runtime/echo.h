// What the echoes of this folder have in common.
#pragma once

#include <cstddef>

namespace wharf::perf {

inline constexpr std::size_t kEchoBytes = 64;

}  // namespace wharf::perf
