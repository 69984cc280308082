#include "wharf/shm/peer_arena.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/runtime/base/check.h"

namespace wharf::shm {
namespace {

Status refuse(const char* what) { return absl::InvalidArgumentError(std::string("adopt arena segment: ") + what); }

}  // namespace

PeerArena::Slot* PeerArena::find(std::uint32_t id) noexcept {
  const std::size_t index = id % kSegmentCountMax;
  if (index >= slots_.size() || slots_[index] == nullptr) return nullptr;
  return slots_[index]->segment.header().id == id ? &slots_[index] : nullptr;
}

Status PeerArena::adopt(const runtime::UniqueFd& fd) {
  if (segment_count_ == kSegmentCountMax) return refuse("the peer announced too many");
  const std::size_t room = std::min(bytes_max_ - segment_bytes_, SIZE_MAX - kArenaDataOffset);
  StatusOr<PeerSegment> segment = PeerSegment::adopt(fd, SegmentKind::kArena, kArenaDataOffset + room);
  if (!segment.ok()) return segment.status();
  if (segment->size_bytes() <= kArenaDataOffset) return refuse("segment_bytes leaves no room for a block");
  const std::uint32_t id = segment->header().id;
  if (id < next_id_ || id >= kSegmentIdEnd) return refuse("id is out of order");
  const std::size_t index = id % kSegmentCountMax;
  if (slots_.size() <= index) slots_.resize(index + 1);
  if (slots_[index] != nullptr) return refuse("id has the place of a segment that is in use");
  slots_[index] = std::make_unique<Entry>(Entry{.segment = std::move(segment).value()});
  next_id_ = id + 1;
  segment_bytes_ += slots_[index]->segment.size_bytes() - kArenaDataOffset;
  ++segment_count_;
  return absl::OkStatus();
}

Violation PeerArena::retire(std::uint32_t id) noexcept {
  Slot* slot = find(id);
  if (slot == nullptr || (*slot)->retired) return "retire.type: no such segment";
  (*slot)->retired = true;
  if ((*slot)->view_count == 0) unmap(*slot);
  return nullptr;
}

bool PeerArena::view(const BlockDescriptor& descriptor, std::span<const std::byte>& bytes) noexcept {
  Slot* slot = find(descriptor.segment);
  if (slot == nullptr || (*slot)->retired) return false;
  const PeerSegment& segment = (*slot)->segment;
  const std::uint64_t offset = kArenaDataOffset + std::uint64_t{descriptor.offset_units} * kBlockUnitBytes;
  if (offset > segment.size_bytes() || descriptor.bytes > segment.size_bytes() - offset) return false;
  ++(*slot)->view_count;
  bytes = {segment.data() + offset, descriptor.bytes};
  return true;
}

void PeerArena::end_view(std::uint32_t segment_id) noexcept {
  Slot* slot = find(segment_id);
  WHARF_CHECK(slot != nullptr && (*slot)->view_count != 0, "a view ended that was not open");
  if (--(*slot)->view_count == 0 && (*slot)->retired) unmap(*slot);
}

void PeerArena::unmap(Slot& slot) noexcept {
  segment_bytes_ -= slot->segment.size_bytes() - kArenaDataOffset;
  --segment_count_;
  slot.reset();
}

}  // namespace wharf::shm
