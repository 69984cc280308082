// Arena: the memory that this side lends to its peer, in segments that come when they are needed.
//
// Threads: one reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wharf/runtime/base/status.h"
#include "wharf/shm/buddy.h"
#include "wharf/shm/lent_table.h"
#include "wharf/shm/segment.h"

namespace wharf::shm {

// A block of our arena, allocated.
struct OwnBlock {
  std::byte* data = nullptr;
  std::size_t capacity_bytes = 0;  // what was asked for, rounded up to the block's size
  BlockId id;
};

enum class Allocation {
  kOk,
  kFull,      // nothing free now: wait until blocks come back
  kTooLarge,  // will not fit even then
};

class Arena {
 public:
  // Units: `bytes_max` of all segments together; at least kBlockUnitBytes, else nothing can be allocated.
  explicit Arena(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // A block of at least `bytes`; makes a new segment if the others are full and the limit allows it.
  Allocation allocate(std::size_t bytes, OwnBlock& block);
  void free(BlockId id) noexcept;
  OwnBlock block(BlockId id) noexcept;

  std::size_t bytes_max() const noexcept { return bytes_max_; }
  // Units: bytes; of blocks, allocated by anybody.
  std::size_t used_bytes() const noexcept { return used_bytes_; }
  std::size_t segment_bytes() const noexcept { return segment_bytes_; }
  std::size_t segment_count() const noexcept { return pieces_.size(); }
  Segment& segment(std::size_t index) noexcept { return pieces_[index]->segment; }
  // The last refusal of the kernel to make a segment, or OK.
  const Status& growth_error() const noexcept { return growth_error_; }

 private:
  struct Piece {
    Segment segment;
    Buddy buddy;
  };
  bool take(std::size_t index, unsigned order, OwnBlock& block) noexcept;
  bool grow(std::size_t block_bytes);

  const std::size_t bytes_max_;
  std::vector<std::unique_ptr<Piece>> pieces_;
  std::size_t last_used_ = 0;  // where the last block came from: tried first
  std::size_t used_bytes_ = 0;
  std::size_t segment_bytes_ = 0;
  Status growth_error_;
};

// Where the blocks of an arena segment begin: behind its header, on a page of their own.
inline constexpr std::size_t kArenaDataOffset = 4096;

// The peer's arena, as far as it was announced: read-only.
class PeerArena {
 public:
  explicit PeerArena(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // Takes the peer's next segment. Errors: as PeerSegment::adopt; InvalidArgument for a wrong id, or beyond the limits.
  Status adopt(runtime::UniqueFd fd);
  // The bytes that a descriptor names; false if they lie outside every segment.
  bool view(const BlockDescriptor& descriptor, std::span<const std::byte>& bytes) const noexcept;

 private:
  const std::size_t bytes_max_;
  std::vector<PeerSegment> segments_;
  std::size_t segment_bytes_ = 0;
};

}  // namespace wharf::shm
