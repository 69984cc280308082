// Whether blocks of one message share bytes: its sender has then lent memory twice, or makes little look like much.
//
// Threads: any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

#include "absl/container/inlined_vector.h"

#include "wharf/ipc/piece.h"

namespace wharf::ipc::detail {

// Cost: a sort of at most 256 spans.
inline bool overlap(std::span<const Piece> pieces) {
  absl::InlinedVector<std::span<const std::byte>, 16> blocks;
  for (const Piece& piece : pieces) {
    if (piece.kind() != Piece::Kind::kFile) blocks.push_back(piece.bytes());
  }
  std::sort(blocks.begin(), blocks.end(), [](auto a, auto b) { return std::less<>()(a.data(), b.data()); });
  for (std::size_t i = 1; i < blocks.size(); ++i) {
    if (std::less<>()(blocks[i].data(), blocks[i - 1].data() + blocks[i - 1].size())) return true;
  }
  return false;
}

}  // namespace wharf::ipc::detail
