// Lane: all the shared memory of one link as one side sees it. Its own control segment and arena, which it writes; the
// peer's, which it reads; and the private record of what is lent.
//
// Whatever points into the memory (a loan, a received payload) holds a Ref to the lane, so that nothing is unmapped
// under it. After close() the lane serves only to keep that memory.
//
// Threads: one reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/arena.h"
#include "wharf/shm/lent_table.h"
#include "wharf/shm/peer_arena.h"
#include "wharf/shm/ref.h"
#include "wharf/shm/release_ring.h"
#include "wharf/shm/ring.h"
#include "wharf/shm/sleep.h"

namespace wharf::shm {

struct LaneOptions {
  // Cells of 64 bytes that carry records and small payloads, each way. A power of two, 16 KiB..16 MiB.
  std::size_t ring_bytes = 16 * 1024;
  // Blocks that may be lent at once, each way. A power of two, 256..65536; 8 bytes each.
  std::size_t release_slot_count = 256;
  // Arena memory that this side may create at most; 0 turns the arena off.
  std::size_t arena_bytes_max = 8 * 1024 * 1024;
  // Milliseconds that a segment of the arena may hold nothing before it is given back to the system, which happens after
  // once to twice that time; at most a day. 0: the arena keeps what it has.
  std::int64_t arena_idle_ms = 1'000;
  // Asks the kernel for huge pages in the arena: fewer TLB misses for payloads of megabytes. Where it gives none
  // (/sys/kernel/mm/transparent_hugepage/shmem_enabled: see docs/architecture.md) nothing changes.
  bool huge_pages = false;
  // Arena memory of the peer's that this side maps at most.
  std::size_t peer_arena_bytes_max = std::size_t{1} << 30;
  // The largest payload that a record of the peer's may carry inline; 0..2048.
  std::size_t inline_bytes_max = 1024;
  // Where every counter of the link begins: positions, epochs, generations, sequences. The same on both sides. They go on
  // from anywhere; tests begin just below a wrap.
  std::uint64_t first_position = 0;
};

// Errors: InvalidArgument names the option that is out of range.
Status check_options(const LaneOptions& options);

class Lane final : public RefCounted {
 public:
  // Hears of changes that its owner has to act on: blocks to be returned to the peer, memory that became free. Called
  // from destructors: it may note, not work.
  class Owner {
   public:
    virtual void on_lane_change() noexcept = 0;

   protected:
    ~Owner() = default;
  };

  // Makes our control segment. `owner` may be null.
  static StatusOr<Ref<Lane>> create(const LaneOptions& options, Owner* owner);
  // Maps the peer's control segment; from here on everything below works. Errors: InvalidArgument names what is wrong.
  Status attach(const runtime::UniqueFd& peer_control);
  // The link is over: every block that the peer holds comes back, and `owner` hears no more.
  void close() noexcept;

  runtime::UniqueFd take_control_fd() noexcept { return own_.take_fd(); }
  std::size_t control_bytes() const noexcept { return own_.size_bytes(); }

  RingWriter& writer() noexcept { return peer_->writer; }
  RingReader& reader() noexcept { return peer_->reader; }
  Sleeper& sleeper() noexcept { return sleeper_; }
  Ringer& ringer() noexcept { return peer_->ringer; }
  Arena& arena() noexcept { return arena_; }
  const LentTable& lent() const noexcept { return lent_; }

  // Our arena. What is freed, or cut off, is not the peer's; it is reused at once.
  void free(BlockId id) noexcept;
  void shrink(OwnBlock& block, std::size_t bytes) noexcept;
  // Notes that the peer holds `id` from now on. Precondition: lent().available() > 0.
  std::uint32_t lend(BlockId id) noexcept { return lent_.lend(id); }
  // The peer will not look at a block that was lent to it: it is free again. One that the peer says to have returned
  // already is left alone.
  void unlend(std::uint32_t token) noexcept {
    if (lent_.find(token) != nullptr) free(lent_.take_back(token));
  }
  // Takes back what the peer has returned. Returns how many blocks; nothing, if its words are impossible.
  std::optional<std::size_t> collect() noexcept;
  // True if the peer says that it returned more than it holds. collect() does not look while nothing is lent, which is
  // most of the time: so this is asked before a sleep, and at the end.
  bool returned_too_much() noexcept { return peer_->returned.refresh(lent_.lent_count()) != nullptr; }
  // Whether collect() would find something, as far as a look tells that orders nothing.
  bool collectable() const noexcept { return lent_.lent_count() != 0 && peer_->returned.changed(); }
  // True if collect() would find something. Ordered for the sleep protocol.
  bool collectable_before_sleep() noexcept;
  // The peer has sent one of our blocks back as payload: it is ours again. Null if it was not lent, or is smaller.
  std::optional<OwnBlock> take_returned(const BlockDescriptor& descriptor) noexcept;

  // The next of our arena's segments that the peer has not been told of, or null; announced() marks it as told.
  Segment* unannounced() noexcept { return arena_.unannounced(); }
  void announced() noexcept { arena_.announced(); }

  // The peer's arena.
  PeerArena& peer_arena() noexcept { return peer_arena_; }
  // A block of the peer's is finished with: its token goes home with the next publish.
  void release(std::uint32_t token) noexcept;
  bool publish_releases() noexcept { return peer_->releases.publish(); }
  bool releases_unpublished() const noexcept { return peer_->releases.unpublished(); }

 private:
  friend class Ref<Lane>;
  struct Peer {
    Peer(ControlLines& own, PeerSegment&& peer, const SegmentHeader& own_header, const LaneOptions& options) noexcept;
    PeerSegment segment;
    RingWriter writer;
    RingReader reader;
    ReleaseWriter releases;
    ReleaseReader returned;
    Ringer ringer;
  };

  Lane(const LaneOptions& options, Segment own, Owner* owner);
  ~Lane() = default;
  ControlLines& own_lines() noexcept { return *reinterpret_cast<ControlLines*>(own_.data()); }
  void reclaim(BlockId id) noexcept;
  void changed() noexcept {
    if (owner_ != nullptr) owner_->on_lane_change();
  }

  const LaneOptions options_;
  Segment own_;
  Owner* owner_;
  Arena arena_;
  LentTable lent_;
  PeerArena peer_arena_;
  Sleeper sleeper_;
  std::optional<Peer> peer_;
};

}  // namespace wharf::shm
