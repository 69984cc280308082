// PeerArena: what the peer has announced of its arena, mapped read-only.
//
// A segment stays mapped while anything looks at it, whatever the peer says of it meanwhile.
//
// Threads: one reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wharf/runtime/base/status.h"
#include "wharf/shm/format.h"
#include "wharf/shm/ring.h"
#include "wharf/shm/segment.h"

namespace wharf::shm {

class PeerArena {
 public:
  // Units: `bytes_max` of all segments that are mapped at once.
  explicit PeerArena(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // Takes the peer's next segment. Errors: as PeerSegment::adopt; InvalidArgument for a wrong id, or beyond the limits.
  Status adopt(const runtime::UniqueFd& fd);
  // The peer will not name this segment again: it is unmapped, at once or with the end of its last view.
  Violation retire(std::uint32_t id) noexcept;

  // The bytes that a descriptor names, mapped until end_view() of the same segment; false if they lie outside every
  // segment.
  bool view(const BlockDescriptor& descriptor, std::span<const std::byte>& bytes) noexcept;
  void end_view(std::uint32_t segment_id) noexcept;

  // Units: bytes; of the segments that are mapped.
  std::size_t segment_bytes() const noexcept { return segment_bytes_; }
  std::size_t segment_count() const noexcept { return segment_count_; }

 private:
  struct Entry {
    PeerSegment segment;
    std::size_t view_count = 0;
    bool retired = false;
  };
  using Slot = std::unique_ptr<Entry>;
  // Null if no such segment is mapped.
  Slot* find(std::uint32_t id) noexcept;
  void unmap(Slot& slot) noexcept;

  const std::size_t bytes_max_;
  std::vector<Slot> slots_;    // by id % kSegmentCountMax
  std::uint32_t next_id_ = 0;  // the lowest that may be announced
  std::size_t segment_bytes_ = 0;
  std::size_t segment_count_ = 0;
};

}  // namespace wharf::shm
