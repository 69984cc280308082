// The release ring: tokens of the peer's blocks that this side has finished with, on their way home.
//
// It cannot be full: a side lends at most as many blocks as the ring has slots, and each comes back once. A peer that
// returns more than it was lent overwrites its own entries, and is found out by the count.
//
// Threads: each object belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "wharf/shm/format.h"
#include "wharf/shm/ring.h"

namespace wharf::shm {

// Returns blocks of the peer's arena; lives in our control segment, and goes on from the position there.
class ReleaseWriter {
 public:
  ReleaseWriter(ControlLines& own, std::size_t ring_bytes, std::size_t slot_count) noexcept
      : own_(own),
        entries_(reinterpret_cast<ReleaseEntry*>(reinterpret_cast<std::byte*>(&own) + kRingOffset + ring_bytes)),
        mask_(slot_count - 1),
        returned_(own.returned.load(std::memory_order_relaxed)),
        published_(returned_) {}

  void push(std::uint32_t token) noexcept { entries_[returned_++ & mask_] = ReleaseEntry{token, 0}; }
  // Lets the peer see what was pushed. True if there was something: then the peer may have to be woken.
  bool publish() noexcept {
    if (returned_ == published_) return false;
    published_ = returned_;
    own_.returned.store(returned_, std::memory_order_release);  // S2 of sleep.h
    return true;
  }
  bool unpublished() const noexcept { return returned_ != published_; }

 private:
  ControlLines& own_;
  ReleaseEntry* const entries_;
  const std::uint64_t mask_;
  std::uint64_t returned_;
  std::uint64_t published_;
};

// Reads what the peer returned; lies in its control segment. What the position says at the start counts as read: nothing
// has been lent yet.
class ReleaseReader {
 public:
  ReleaseReader(const ControlLines& peer, std::size_t ring_bytes, std::size_t slot_count) noexcept
      : peer_(peer),
        entries_(reinterpret_cast<const std::byte*>(&peer) + kRingOffset + ring_bytes),
        mask_(slot_count - 1),
        tail_(peer.returned.load(std::memory_order_relaxed)),
        peer_returned_(tail_) {}

  // Re-reads how far the peer is, ordered for the sleep protocol. `lent_count` is how many blocks it holds now, which
  // is what it may return at most.
  Violation refresh(std::size_t lent_count) noexcept;
  // Whether refresh() would find more.
  bool changed() const noexcept { return peer_.returned.load(std::memory_order_relaxed) != tail_; }
  bool readable() const noexcept { return tail_ != peer_returned_; }
  // The next token, or nothing if its reserved bytes are not zero. Precondition: readable(). Read once: the entry may
  // change afterwards.
  std::optional<std::uint32_t> pop() noexcept;

 private:
  const ControlLines& peer_;
  const std::byte* const entries_;
  const std::uint64_t mask_;
  std::uint64_t tail_;
  std::uint64_t peer_returned_;
};

}  // namespace wharf::shm
