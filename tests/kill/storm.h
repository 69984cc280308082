// What the storm's two sides agree on.
#pragma once

#include <cstddef>

namespace wharf::test {

// Payload up to here may come inline, and then cannot go back as a block.
inline constexpr std::size_t kStormInlineBytes = 2'048;

}  // namespace wharf::test
