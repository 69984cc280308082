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

constexpr std::size_t kPowerOfTwoBytesMax = 64 * 1024;

std::size_t units_for(std::size_t bytes) noexcept { return Arena::block_bytes(bytes) / kBlockUnitBytes; }

}  // namespace

std::size_t Arena::block_bytes(std::size_t bytes) noexcept {
  if (bytes <= kBlockUnitBytes) return kBlockUnitBytes;
  if (bytes <= kPowerOfTwoBytesMax) return std::bit_ceil(bytes);
  const std::size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

bool Arena::take(Piece& piece, std::size_t unit_count, OwnBlock& block) noexcept {
  const bool was_whole = piece.buddy.whole();
  const std::optional<std::uint32_t> unit = piece.buddy.allocate(unit_count);
  if (!unit.has_value()) return false;
  if (was_whole) --whole_count_;
  piece.touched = true;
  last_used_ = &piece;
  block = {
      .data = piece.segment.data() + kArenaDataOffset + std::size_t{*unit} * kBlockUnitBytes,
      .capacity_bytes = unit_count * kBlockUnitBytes,
      .id = {piece.id, *unit},
  };
  used_bytes_ += block.capacity_bytes;
  return true;
}

Allocation Arena::allocate(std::size_t bytes, OwnBlock& block) {
  // A descriptor counts bytes in 32 bits.
  if (bytes > bytes_max_ || bytes >= kArenaSegmentBytesMax) return Allocation::kTooLarge;
  const std::size_t unit_count = units_for(bytes);
  if (last_used_ != nullptr && take(*last_used_, unit_count, block)) return Allocation::kOk;
  const std::size_t least_bytes = std::bit_ceil(unit_count) * kBlockUnitBytes;
  if (least_bytes > bytes_max_) return Allocation::kTooLarge;
  bool fits_later = false;
  for (const std::unique_ptr<Piece>& slot : slots_) {
    if (slot == nullptr) continue;
    if (slot.get() != last_used_ && take(*slot, unit_count, block)) return Allocation::kOk;
    fits_later = fits_later || slot->buddy.unit_count() >= std::bit_ceil(unit_count);
  }
  const Allocation added = add_segment(least_bytes);
  if (added == Allocation::kOk) take(piece(next_id_ - 1), unit_count, block);
  return added == Allocation::kRefused && fits_later ? Allocation::kFull : added;
}

bool Arena::grow(OwnBlock& block, std::size_t bytes, std::size_t bytes_min) noexcept {
  if (bytes_min >= kArenaSegmentBytesMax) return false;
  const std::size_t least = (bytes_min + kBlockUnitBytes - 1) / kBlockUnitBytes;
  const std::size_t most = units_for(std::min(bytes, kArenaSegmentBytesMax));
  const std::size_t added = piece(block.id.segment).buddy.grow(block.id.unit, least, most);
  used_bytes_ += added * kBlockUnitBytes;
  block.capacity_bytes += added * kBlockUnitBytes;
  return added != 0;
}

bool Arena::shrink(OwnBlock& block, std::size_t bytes) noexcept {
  const std::size_t kept_bytes = block_bytes(bytes);
  if (kept_bytes >= block.capacity_bytes) return false;
  piece(block.id.segment).buddy.shrink(block.id.unit, kept_bytes / kBlockUnitBytes);
  used_bytes_ -= block.capacity_bytes - kept_bytes;
  block.capacity_bytes = kept_bytes;
  return true;
}

void Arena::free(BlockId id) noexcept {
  Piece& from = piece(id.segment);
  used_bytes_ -= from.buddy.free(id.unit) * kBlockUnitBytes;
  if (from.buddy.whole()) ++whole_count_;
}

OwnBlock Arena::block(BlockId id) noexcept {
  Piece& from = piece(id.segment);
  return OwnBlock{
      .data = from.segment.data() + kArenaDataOffset + std::size_t{id.unit} * kBlockUnitBytes,
      .capacity_bytes = from.buddy.units_of(id.unit) * kBlockUnitBytes,
      .id = id,
  };
}

// ---- Segments ----

Segment* Arena::segment(std::uint32_t id) noexcept {
  const std::size_t index = id % kSegmentCountMax;
  if (index >= slots_.size() || slots_[index] == nullptr || slots_[index]->id != id) return nullptr;
  return &slots_[index]->segment;
}

std::size_t Arena::free_block_bytes_max() noexcept {
  std::size_t units = 0;
  for (const std::unique_ptr<Piece>& slot : slots_) {
    if (slot != nullptr) units = std::max(units, slot->buddy.free_run_units_max());
  }
  return units * kBlockUnitBytes;
}

// Makes a segment that has room for `block_bytes`: a power of two, and within the limit.
Allocation Arena::add_segment(std::size_t block_bytes) {
  if (segment_bytes_ + block_bytes > bytes_max_ && !make_room(block_bytes)) return Allocation::kFull;
  if (segment_count_ == kSegmentCountMax) return Allocation::kFull;
  // An id is never used twice; its place in the table is.
  while (next_id_ % kSegmentCountMax < slots_.size() && slots_[next_id_ % kSegmentCountMax] != nullptr) ++next_id_;
  if (next_id_ >= kSegmentIdEnd) return Allocation::kFull;
  const std::size_t room = std::bit_floor(bytes_max_ - segment_bytes_);
  const std::size_t step = std::clamp(std::bit_ceil(segment_bytes_ + 1) / 2, kSegmentBytesFirst, kSegmentBytesStepMax);
  const std::size_t bytes = std::max(block_bytes, std::min(step, room));

  SegmentHeader header{};
  header.kind = SegmentKind::kArena;
  header.id = next_id_;
  StatusOr<Segment> segment = Segment::create(header, kArenaDataOffset + bytes, huge_pages_);
  if (!segment.ok()) {
    growth_error_ = segment.status();
    return Allocation::kRefused;
  }
  const std::size_t index = next_id_ % kSegmentCountMax;
  if (slots_.size() <= index) slots_.resize(index + 1);
  slots_[index] = std::make_unique<Piece>(
      Piece{.segment = std::move(segment).value(), .buddy = Buddy(bytes / kBlockUnitBytes), .id = next_id_});
  ++next_id_;
  ++segment_count_;
  ++whole_count_;
  segment_bytes_ += bytes;
  retired_.reserve(kSegmentCountMax);  // retiring allocates nothing
  return Allocation::kOk;
}

// Retires segments that hold nothing until `bytes` are within the limit; none if that would not do.
bool Arena::make_room(std::size_t bytes) noexcept {
  std::size_t idle_bytes = 0;
  for (const std::unique_ptr<Piece>& slot : slots_) {
    if (slot != nullptr && slot->buddy.whole()) idle_bytes += slot->buddy.unit_count() * kBlockUnitBytes;
  }
  if (segment_bytes_ - idle_bytes + bytes > bytes_max_) return false;
  for (std::unique_ptr<Piece>& slot : slots_) {
    if (segment_bytes_ + bytes <= bytes_max_) break;
    if (slot != nullptr && slot->buddy.whole()) retire(slot);
  }
  return true;
}

void Arena::retire(std::unique_ptr<Piece>& slot) noexcept {
  if (slot->announced) retired_.push_back(slot->id);
  if (last_used_ == slot.get()) last_used_ = nullptr;
  segment_bytes_ -= slot->buddy.unit_count() * kBlockUnitBytes;
  --segment_count_;
  --whole_count_;
  slot.reset();
}

void Arena::retire_idle() noexcept {
  for (std::unique_ptr<Piece>& slot : slots_) {
    if (slot == nullptr || !slot->buddy.whole()) continue;
    if (!std::exchange(slot->touched, false)) retire(slot);
  }
}

Segment* Arena::unannounced() noexcept {
  for (; next_announced_id_ != next_id_; ++next_announced_id_) {
    if (Segment* next = segment(next_announced_id_); next != nullptr) return next;
  }
  return nullptr;
}

void Arena::announced() noexcept { piece(next_announced_id_++).announced = true; }

}  // namespace wharf::shm
