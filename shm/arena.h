// Arena: the memory that this side lends to its peer, in segments that come when they are needed and go when they are not.
//
// Threads: one reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "wharf/runtime/base/status.h"
#include "wharf/shm/buddy.h"
#include "wharf/shm/lent_table.h"
#include "wharf/shm/segment.h"

namespace wharf::shm {

// A block of our arena, allocated.
struct OwnBlock {
  std::byte* data = nullptr;
  std::size_t capacity_bytes = 0;  // what was asked for, rounded up: see Arena::block_bytes()
  BlockId id;
};

enum class Allocation {
  kOk,
  kFull,      // nothing free now: wait until blocks come back
  kTooLarge,  // will not fit even then
  kRefused,   // the kernel gives no memory, and no block that comes back would do: Arena::growth_error()
};

class Arena {
 public:
  // Units: `bytes_max` of all segments together; at least kBlockUnitBytes, else nothing can be allocated. Ids begin with
  // `first_id`.
  explicit Arena(std::size_t bytes_max, bool huge_pages = false, std::uint32_t first_id = 0) noexcept
      : bytes_max_(bytes_max), huge_pages_(huge_pages), next_id_(first_id), next_announced_id_(first_id) {}

  // The size of the block that `bytes` get: up to 64 KiB a power of two, so that it serves again for any such size; above,
  // in eighths of the power of two below, so that less than an eighth is more than was asked for.
  static std::size_t block_bytes(std::size_t bytes) noexcept;

  // A block of at least `bytes`. If the segments are full it makes a new one, within the limit, to which end it retires
  // others that hold nothing.
  Allocation allocate(std::size_t bytes, OwnBlock& block);
  // Makes the block larger where it is: to `bytes`, or as far as the memory behind it is free if that holds `bytes_min`.
  // False, and nothing has changed, if it is not.
  bool grow(OwnBlock& block, std::size_t bytes, std::size_t bytes_min) noexcept;
  // Gives back what a block for `bytes` would not have. False: there is nothing to give.
  bool shrink(OwnBlock& block, std::size_t bytes) noexcept;
  void free(BlockId id) noexcept;
  OwnBlock block(BlockId id) noexcept;

  std::size_t bytes_max() const noexcept { return bytes_max_; }
  // Units: bytes; of blocks, allocated by anybody.
  std::size_t used_bytes() const noexcept { return used_bytes_; }
  std::size_t segment_bytes() const noexcept { return segment_bytes_; }
  std::size_t segment_count() const noexcept { return segment_count_; }
  // Null if it was retired, or never made.
  Segment* segment(std::uint32_t id) noexcept;
  // The largest block that could be had without a new segment. Cost: joins all that is free.
  std::size_t free_block_bytes_max() noexcept;
  // The last refusal of the kernel to make a segment, or OK.
  const Status& growth_error() const noexcept { return growth_error_; }

  // The next segment that the peer has not been told of, or null; announced() marks it as told.
  Segment* unannounced() noexcept;
  void announced() noexcept;

  // Whether retire_idle() would find something, now or later.
  bool has_idle() const noexcept { return whole_count_ != 0; }
  // Retires every segment that holds nothing, and has held nothing since the last call: it is unmapped.
  void retire_idle() noexcept;
  // The ids of segments that were retired and that the peer still knows: whoever has told it removes them.
  std::vector<std::uint32_t>& retired() noexcept { return retired_; }

 private:
  struct Piece {
    Segment segment;
    Buddy buddy;
    std::uint32_t id;
    bool announced = false;
    bool touched = true;  // since retire_idle() looked
  };
  Piece& piece(std::uint32_t id) noexcept { return *slots_[id % kSegmentCountMax]; }
  bool take(Piece& piece, std::size_t unit_count, OwnBlock& block) noexcept;
  Allocation add_segment(std::size_t block_bytes);
  bool make_room(std::size_t bytes) noexcept;
  void retire(std::unique_ptr<Piece>& slot) noexcept;

  const std::size_t bytes_max_;
  const bool huge_pages_;
  std::vector<std::unique_ptr<Piece>> slots_;  // by id % kSegmentCountMax; null: no segment
  Piece* last_used_ = nullptr;                 // where the last block came from: tried first
  std::uint32_t next_id_;
  std::uint32_t next_announced_id_;  // lower ones are announced, or gone
  std::vector<std::uint32_t> retired_;
  std::size_t segment_count_ = 0;
  std::size_t whole_count_ = 0;  // of segments that hold nothing
  std::size_t used_bytes_ = 0;
  std::size_t segment_bytes_ = 0;
  Status growth_error_;
};

}  // namespace wharf::shm
