// Two control segments, as the two sides of a link have them: each side writes its own, and reads the other's through a
// read-only mapping of the sealed file, or, so that ThreadSanitizer sees both ends, through the writer's own mapping.
//
// Threads: the members of one side belong to one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/shm/segment.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {

enum class Mappings { kTwo, kOne };

class ControlPair {
 public:
  static constexpr std::size_t kRingBytes = shm::kRingBytesMin;
  static constexpr std::size_t kCells = kRingBytes / shm::kCellBytes;
  static constexpr std::size_t kSlots = shm::kReleaseSlotCountMin;

  // Every position begins at `start`, as if so much had gone before.
  explicit ControlPair(std::uint64_t start = 0, Mappings mappings = Mappings::kTwo)
      : mappings_(mappings), own_{make(), make()}, peer_{adopt(own_[1]), adopt(own_[0])} {
    for (std::size_t side : {0, 1}) {
      own(side).published.store(start, std::memory_order_relaxed);
      own(side).consumed.store(start, std::memory_order_relaxed);
      own(side).returned.store(start, std::memory_order_relaxed);
    }
  }

  shm::ControlLines& own(std::size_t side) { return *reinterpret_cast<shm::ControlLines*>(own_[side].data()); }
  // The other side's segment, as `side` sees it.
  const shm::ControlLines& peer(std::size_t side) {
    if (mappings_ == Mappings::kOne) return own(1 - side);
    return *reinterpret_cast<const shm::ControlLines*>(peer_[side].data());
  }
  // The ring of a side, as its owner, or a hostile one, writes it.
  std::byte* ring(std::size_t side) { return own_[side].data() + shm::kRingOffset; }
  std::byte* release_ring(std::size_t side) { return ring(side) + kRingBytes; }

 private:
  static shm::Segment make() {
    shm::SegmentHeader header{};
    header.kind = shm::SegmentKind::kControl;
    header.ring_bytes = kRingBytes;
    header.release_slot_count = kSlots;
    StatusOr<shm::Segment> segment = shm::Segment::create(header, shm::control_segment_bytes(kRingBytes, kSlots));
    EXPECT_TRUE(segment.ok()) << segment.status().ToString();
    return std::move(segment).value();
  }
  static shm::PeerSegment adopt(const shm::Segment& segment) {
    StatusOr<shm::PeerSegment> peer =
        shm::PeerSegment::adopt(duplicate(segment.fd()), shm::SegmentKind::kControl, std::size_t{1} << 20);
    EXPECT_TRUE(peer.ok()) << peer.status().ToString();
    return std::move(peer).value();
  }

  const Mappings mappings_;
  std::array<shm::Segment, 2> own_;
  std::array<shm::PeerSegment, 2> peer_;
};

// Where counters of 16, 32 and 64 bits are about to wrap.
inline constexpr std::uint64_t kStarts[] = {0, 0xffff - 40, 0xffff'ffff - 40, 0xffff'ffff'ffff'ffff - 40};

}  // namespace wharf::test
