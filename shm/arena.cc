#include "wharf/shm/arena.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace wharf::shm {
namespace {

// The first segment is small, for links that rarely send much; each further one doubles the arena, up to a step whose
// allocation does not hold the reactor up for more than about 3 ms.
constexpr std::size_t kSegmentBytesFirst = 256 * 1024;
constexpr std::size_t kSegmentBytesStepMax = 8 * 1024 * 1024;

}  // namespace

bool Arena::take(std::size_t index, unsigned order, OwnBlock& block) noexcept {
  const std::optional<std::uint32_t> unit = pieces_[index]->buddy.allocate(order);
  if (!unit.has_value()) return false;
  last_used_ = index;
  block = this->block(BlockId{static_cast<std::uint32_t>(index), *unit});
  used_bytes_ += block.capacity_bytes;
  return true;
}

Allocation Arena::allocate(std::size_t bytes, OwnBlock& block) {
  // A descriptor counts bytes in 32 bits.
  if (bytes > bytes_max_ || bytes >= kArenaSegmentBytesMax) return Allocation::kTooLarge;
  const std::size_t units = (std::max<std::size_t>(bytes, 1) + kBlockUnitBytes - 1) / kBlockUnitBytes;
  const unsigned order = Buddy::order_for(units);
  if (!pieces_.empty() && take(last_used_, order, block)) return Allocation::kOk;
  bool fits_later = false;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    if (i != last_used_ && take(i, order, block)) return Allocation::kOk;
    fits_later = fits_later || pieces_[i]->buddy.unit_count() >= (std::size_t{1} << order);
  }
  if (grow((std::size_t{1} << order) * kBlockUnitBytes)) {
    take(pieces_.size() - 1, order, block);
    return Allocation::kOk;
  }
  return fits_later ? Allocation::kFull : Allocation::kTooLarge;
}

bool Arena::grow(std::size_t block_bytes) {
  if (pieces_.size() == kSegmentCountMax || segment_bytes_ >= bytes_max_) return false;
  const std::size_t room = std::bit_floor(bytes_max_ - segment_bytes_);
  const std::size_t step = std::clamp(std::bit_ceil(segment_bytes_ + 1) / 2, kSegmentBytesFirst,
                                      kSegmentBytesStepMax);
  const std::size_t bytes = std::max(block_bytes, std::min(step, room));
  if (bytes > room) return false;

  SegmentHeader header{};
  header.kind = SegmentKind::kArena;
  header.id = static_cast<std::uint32_t>(pieces_.size());
  StatusOr<Segment> segment = Segment::create(header, kArenaDataOffset + bytes);
  if (!segment.ok()) {
    growth_error_ = segment.status();
    return false;
  }
  pieces_.push_back(std::make_unique<Piece>(
      Piece{std::move(segment).value(), Buddy(bytes / kBlockUnitBytes)}));
  segment_bytes_ += bytes;
  return true;
}

void Arena::free(BlockId id) noexcept {
  used_bytes_ -= pieces_[id.segment]->buddy.free(id.unit) * kBlockUnitBytes;
}

OwnBlock Arena::block(BlockId id) noexcept {
  Piece& piece = *pieces_[id.segment];
  return OwnBlock{
      .data = piece.segment.data() + kArenaDataOffset + std::size_t{id.unit} * kBlockUnitBytes,
      .capacity_bytes = (std::size_t{1} << piece.buddy.order_of(id.unit)) * kBlockUnitBytes,
      .id = id,
  };
}

Status PeerArena::adopt(runtime::UniqueFd fd) {
  if (segments_.size() == kSegmentCountMax) {
    return absl::InvalidArgumentError("adopt arena segment: the peer announced too many");
  }
  StatusOr<PeerSegment> segment = PeerSegment::adopt(std::move(fd), SegmentKind::kArena,
                                                     kArenaDataOffset + bytes_max_ - segment_bytes_);
  if (!segment.ok()) return segment.status();
  if (segment->size_bytes() <= kArenaDataOffset) {
    return absl::InvalidArgumentError("adopt arena segment: segment_bytes leaves no room for a block");
  }
  if (segment->header().id != segments_.size()) {
    return absl::InvalidArgumentError("adopt arena segment: id is out of order");
  }
  segment_bytes_ += segment->size_bytes() - kArenaDataOffset;
  segments_.push_back(std::move(segment).value());
  return absl::OkStatus();
}

bool PeerArena::view(const BlockDescriptor& descriptor,
                     std::span<const std::byte>& bytes) const noexcept {
  if (descriptor.segment >= segments_.size()) return false;
  const PeerSegment& segment = segments_[descriptor.segment];
  const std::uint64_t offset =
      kArenaDataOffset + std::uint64_t{descriptor.offset_units} * kBlockUnitBytes;
  if (offset > segment.size_bytes() || descriptor.bytes > segment.size_bytes() - offset) return false;
  bytes = {segment.data() + offset, descriptor.bytes};
  return true;
}

}  // namespace wharf::shm
