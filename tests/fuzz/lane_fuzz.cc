// A lane against a peer that says anything of blocks: descriptors that point anywhere, segments in any order, and a
// release ring full of tokens that were never lent, or were returned already. A ledger of our own blocks tells what
// must be true: a block is ours or the peer's, comes back once, and all of it is home at the end.
#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "wharf/runtime/base/check.h"
#include "wharf/shm/lane.h"
#include "wharf/tests/fuzz/fd_census.h"
#include "wharf/tests/fuzz/input.h"

namespace wharf::test {
namespace {

constexpr std::size_t kRingBytes = shm::kRingBytesMin;
constexpr std::size_t kSlots = shm::kReleaseSlotCountMin;

shm::Segment make(shm::SegmentKind kind, std::uint32_t id, std::size_t bytes) {
  shm::SegmentHeader header{};
  header.kind = kind;
  header.id = id;
  if (kind == shm::SegmentKind::kControl) {
    header.ring_bytes = kRingBytes;
    header.release_slot_count = kSlots;
  }
  auto segment = shm::Segment::create(header, bytes);
  WHARF_CHECK(segment.ok(), "no memory for a segment");
  return *std::move(segment);
}

runtime::UniqueFd copy_of(const shm::Segment& segment) {
  return runtime::UniqueFd(::fcntl(segment.fd().get(), F_DUPFD_CLOEXEC, 0));
}

// What the hostile peer owns; made once.
struct Peer {
  shm::Segment control = make(shm::SegmentKind::kControl, 0, shm::control_segment_bytes(kRingBytes, kSlots));
  shm::Segment arenas[3] = {make(shm::SegmentKind::kArena, 0, 16 * 1024), make(shm::SegmentKind::kArena, 1, 8192),
                            make(shm::SegmentKind::kArena, 2, 64 * 1024)};

  shm::ControlLines& lines() { return *reinterpret_cast<shm::ControlLines*>(control.data()); }
  std::byte* releases() { return control.data() + shm::kRingOffset + kRingBytes; }
  void reset() {
    lines().returned.store(0, std::memory_order_relaxed);
    std::memset(releases(), 0, kSlots * sizeof(shm::ReleaseEntry));
  }
};

struct Lent {
  std::uint32_t token;
  shm::OwnBlock block;
};

class Victim {
 public:
  explicit Victim(Peer& peer) : peer_(peer) {
    peer_.reset();
    shm::LaneOptions options;
    options.ring_bytes = kRingBytes;
    options.release_slot_count = kSlots;
    options.arena_bytes_max = 256 * 1024;
    options.peer_arena_bytes_max = 80 * 1024;
    auto lane = shm::Lane::create(options, nullptr);
    WHARF_CHECK(lane.ok(), "no memory for a lane");
    lane_ = *std::move(lane);
    WHARF_CHECK(lane_->attach(copy_of(peer_.control)).ok(), "an honest segment");
  }
  ~Victim() {
    lane_->close();
    for (const shm::OwnBlock& block : ours_) lane_->free(block.id);
    WHARF_CHECK_EQ(lane_->lent().lent_count(), 0U);
    WHARF_CHECK_EQ(lane_->arena().used_bytes(), 0U);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  // False: the link is over.
  bool step(Input& input) {
    switch (input.byte() % 9) {
      case 0: allocate(1 + input.below(32 * 1024)); break;
      case 1: free(input); break;
      case 2: lend(input); break;
      case 3: write_release(input); break;
      case 4: return collect();
      case 5: take_returned(input); break;
      case 6: adopt(input); break;
      case 7: view(input); break;
      default: lane_->collectable_before_sleep(); break;
    }
    WHARF_CHECK_EQ(lane_->lent().lent_count(), lent_.size());
    return true;
  }

 private:
  void allocate(std::size_t bytes) {
    shm::OwnBlock block;
    if (lane_->arena().allocate(bytes, block) != shm::Allocation::kOk) return;
    WHARF_CHECK_LE(bytes, block.capacity_bytes);
    for (const shm::OwnBlock& other : ours_) check_apart(block, other);
    for (const Lent& other : lent_) check_apart(block, other.block);
    std::memset(block.data, 0x77, block.capacity_bytes);
    ours_.push_back(block);
  }
  static void check_apart(const shm::OwnBlock& a, const shm::OwnBlock& b) {
    WHARF_CHECK(a.data + a.capacity_bytes <= b.data || b.data + b.capacity_bytes <= a.data, "blocks overlap");
  }
  void free(Input& input) {
    if (ours_.empty()) return;
    const auto at = ours_.begin() + static_cast<std::ptrdiff_t>(input.below(ours_.size()));
    lane_->free(at->id);
    ours_.erase(at);
  }
  void lend(Input& input) {
    if (ours_.empty() || lane_->lent().available() == 0) return;
    const auto at = ours_.begin() + static_cast<std::ptrdiff_t>(input.below(ours_.size()));
    lent_.push_back({lane_->lend(at->id), *at});
    ours_.erase(at);
  }
  // A token of the peer's choice: one that it holds, half of the time.
  std::uint32_t token(Input& input) {
    if (lent_.empty() || !input.coin()) return input.take<std::uint32_t>();
    return lent_[input.below(lent_.size())].token;
  }
  void write_release(Input& input) {
    const std::uint64_t at = peer_.lines().returned.load(std::memory_order_relaxed);
    const shm::ReleaseEntry entry{token(input), input.byte() == 255 ? input.take<std::uint32_t>() : 0};
    std::memcpy(peer_.releases() + at % kSlots * sizeof(entry), &entry, sizeof(entry));
    peer_.lines().returned.store(input.byte() > 240 ? input.near(at) : at + 1, std::memory_order_relaxed);
  }
  bool collect() {
    const std::optional<std::size_t> count = lane_->collect();
    // Whatever came back was lent, and once.
    std::erase_if(lent_, [&](const Lent& lent) { return lane_->lent().find(lent.token) == nullptr; });
    WHARF_CHECK_EQ(lane_->lent().lent_count(), lent_.size());
    return count.has_value();
  }
  void take_returned(Input& input) {
    shm::BlockDescriptor descriptor{token(input), shm::kReturnedBit, 0,
                                    static_cast<std::uint32_t>(input.below(40'000))};
    const auto lent =
        std::find_if(lent_.begin(), lent_.end(), [&](const Lent& one) { return one.token == descriptor.token; });
    if (lent != lent_.end()) {
      descriptor.segment |= lent->block.id.segment;
      descriptor.offset_units = lent->block.id.unit;
    }
    if (input.byte() > 200) input.fill(&descriptor.segment, 8);
    const auto block = lane_->take_returned(descriptor);
    if (!block.has_value()) return;
    WHARF_CHECK(lent != lent_.end(), "a block that was not lent came back");
    WHARF_CHECK(block->data == lent->block.data, "another block came back");
    WHARF_CHECK_LE(descriptor.bytes, block->capacity_bytes);
    ours_.push_back(lent->block);
    lent_.erase(lent);
  }
  void adopt(Input& input) {
    const Status status =
        lane_->peer_arena().adopt(input.byte() > 250 ? copy_of(peer_.control) : copy_of(peer_.arenas[input.below(3)]));
    static_cast<void>(status);
  }
  void view(Input& input) {
    shm::BlockDescriptor descriptor{0, input.byte() % 4u, input.byte(),
                                    static_cast<std::uint32_t>(input.below(70'000))};
    if (input.byte() > 200) input.fill(&descriptor, sizeof(descriptor));
    std::span<const std::byte> bytes;
    if (!lane_->peer_arena().view(descriptor, bytes)) return;
    WHARF_CHECK_EQ(bytes.size(), descriptor.bytes);
    for (const std::byte byte : bytes) WHARF_CHECK(byte == std::byte{0}, "not the payload of an arena of zeros");
  }

  Peer& peer_;
  shm::Ref<shm::Lane> lane_;
  std::vector<shm::OwnBlock> ours_;
  std::vector<Lent> lent_;
};

}  // namespace
}  // namespace wharf::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static wharf::test::Peer peer;
  const wharf::test::FdCensus census;
  wharf::test::Input input(data, size);
  wharf::test::Victim victim(peer);
  while (!input.empty()) {
    if (!victim.step(input)) break;
  }
  return 0;
}
