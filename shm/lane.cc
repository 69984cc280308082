#include "wharf/shm/lane.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace wharf::shm {
namespace {

constexpr std::int64_t kArenaIdleMsMax = 24 * 60 * 60 * 1000;

bool power_of_two_within(std::size_t value, std::size_t least, std::size_t most) noexcept {
  return std::has_single_bit(value) && value >= least && value <= most;
}

const ControlLines& lines_of(const PeerSegment& segment) noexcept {
  return *reinterpret_cast<const ControlLines*>(segment.data());
}

// In a segment that nobody else knows yet.
void start_at(ControlLines& lines, std::uint64_t position) noexcept {
  for (Atomic<std::uint64_t>* word : {&lines.published, &lines.consumed, &lines.returned, &lines.claimed}) {
    word->store(position, std::memory_order_relaxed);
  }
  lines.sleep.store(Sleeper::awake_word(position), std::memory_order_relaxed);
}

}  // namespace

Status check_options(const LaneOptions& options) {
  if (!power_of_two_within(options.ring_bytes, kRingBytesMin, kRingBytesMax)) {
    return absl::InvalidArgumentError("ring_bytes must be a power of two, 16 KiB..16 MiB");
  }
  if (!power_of_two_within(options.release_slot_count, kReleaseSlotCountMin, kReleaseSlotCountMax)) {
    return absl::InvalidArgumentError("release_slot_count must be a power of two, 256..65536");
  }
  if (options.inline_bytes_max > kInlineBytesMax) {
    return absl::InvalidArgumentError("inline_bytes_max must be at most 2048");
  }
  if (options.arena_idle_ms < 0 || options.arena_idle_ms > kArenaIdleMsMax) {
    return absl::InvalidArgumentError("arena_idle_ms must be 0..1 day");
  }
  return absl::OkStatus();
}

Lane::Peer::Peer(ControlLines& own, PeerSegment&& peer, const SegmentHeader& own_header,
                 const LaneOptions& options) noexcept
    : segment(std::move(peer)),
      writer(own, lines_of(segment), own_header.ring_bytes),
      reader(own, lines_of(segment), segment.header().ring_bytes, options.inline_bytes_max),
      releases(own, own_header.ring_bytes, own_header.release_slot_count),
      returned(lines_of(segment), segment.header().ring_bytes, segment.header().release_slot_count),
      ringer(lines_of(segment)) {}

Lane::Lane(const LaneOptions& options, Segment own, Owner* owner)
    : options_(options),
      own_(std::move(own)),
      owner_(owner),
      arena_(options.arena_bytes_max, options.huge_pages),
      lent_(options.release_slot_count, static_cast<std::uint16_t>(options.first_position)),
      peer_arena_(options.peer_arena_bytes_max),
      sleeper_(own_lines()) {}

StatusOr<Ref<Lane>> Lane::create(const LaneOptions& options, Owner* owner) {
  if (Status status = check_options(options); !status.ok()) return status;
  SegmentHeader header{};
  header.kind = SegmentKind::kControl;
  header.ring_bytes = static_cast<std::uint32_t>(options.ring_bytes);
  header.release_slot_count = static_cast<std::uint32_t>(options.release_slot_count);
  StatusOr<Segment> own =
      Segment::create(header, control_segment_bytes(options.ring_bytes, options.release_slot_count));
  if (!own.ok()) return own.status();
  start_at(*reinterpret_cast<ControlLines*>(own->data()), options.first_position);
  return Ref<Lane>(new Lane(options, std::move(own).value(), owner));
}

Status Lane::attach(const runtime::UniqueFd& peer_control) {
  StatusOr<PeerSegment> peer = PeerSegment::adopt(peer_control, SegmentKind::kControl,
                                                  control_segment_bytes(kRingBytesMax, kReleaseSlotCountMax) + 4096);
  if (!peer.ok()) return peer.status();
  const SegmentHeader& header = peer->header();
  if (!power_of_two_within(header.ring_bytes, kRingBytesMin, kRingBytesMax)) {
    return absl::InvalidArgumentError("attach lane: the peer's ring_bytes is out of range");
  }
  // Each side's release ring has a slot for every block that the other may lend.
  if (header.release_slot_count != options_.release_slot_count) {
    return absl::InvalidArgumentError("attach lane: the peer's release_slot_count differs from ours");
  }
  if (control_segment_bytes(header.ring_bytes, header.release_slot_count) > peer->size_bytes()) {
    return absl::InvalidArgumentError("attach lane: the peer's segment_bytes is too small for its rings");
  }
  SegmentHeader own_header = own_lines().header;
  peer_.emplace(own_lines(), std::move(peer).value(), own_header, options_);
  return absl::OkStatus();
}

void Lane::close() noexcept {
  owner_ = nullptr;
  lent_.take_back_all([this](BlockId id) { arena_.free(id); });
}

void Lane::reclaim(BlockId id) noexcept {
#ifndef NDEBUG
  // Where checks are on, whoever goes on reading what was given back reads this.
  const OwnBlock block = arena_.block(id);
  std::memset(block.data, 0xdd, std::min(block.capacity_bytes, kBlockUnitBytes));
#endif
  arena_.free(id);
}

void Lane::free(BlockId id) noexcept {
  reclaim(id);
  changed();
}

void Lane::shrink(OwnBlock& block, std::size_t bytes) noexcept {
  if (arena_.shrink(block, bytes)) changed();
}

std::optional<std::size_t> Lane::collect() noexcept {
  ReleaseReader& returned = peer_->returned;
  if (!returned.readable() && !collectable()) return 0;
  if (returned.refresh(lent_.lent_count()) != nullptr) return std::nullopt;
  std::size_t count = 0;
  while (returned.readable()) {
    const std::optional<std::uint32_t> token = returned.pop();
    if (!token.has_value() || lent_.find(*token) == nullptr) return std::nullopt;
    reclaim(lent_.take_back(*token));
    ++count;
  }
  return count;
}

bool Lane::collectable_before_sleep() noexcept {
  // What is impossible counts too: collect() reports it.
  return peer_->returned.refresh(lent_.lent_count()) != nullptr || peer_->returned.readable();
}

std::optional<OwnBlock> Lane::take_returned(const BlockDescriptor& descriptor) noexcept {
  const BlockId* id = lent_.find(descriptor.token);
  if (id == nullptr || id->segment != (descriptor.segment & ~kReturnedBit)) return std::nullopt;
  const OwnBlock block = arena_.block(*id);
  if (id->unit != descriptor.offset_units || descriptor.bytes > block.capacity_bytes) return std::nullopt;
  lent_.take_back(descriptor.token);
  return block;
}

void Lane::release(std::uint32_t token) noexcept {
  peer_->releases.push(token);
  changed();
}

}  // namespace wharf::shm
