#include "wharf/shm/ring.h"

namespace wharf::shm {

RingWriter::RingWriter(ControlLines& own, const ControlLines& peer, std::size_t ring_bytes) noexcept
    : own_(own),
      peer_(peer),
      ring_(reinterpret_cast<std::byte*>(&own) + kRingOffset),
      cell_mask_(ring_bytes / kCellBytes - 1),
      head_(own.published.load(std::memory_order_relaxed)),
      published_(head_),
      peer_consumed_(head_) {}

RingWriter::Retraction RingWriter::retract(std::uint64_t position) noexcept {
  // Beyond what we know to be consumed, no cell has been used again.
  if (head_ - position > head_ - peer_consumed_) return Retraction::kConsumed;
  std::uint8_t& mark = reinterpret_cast<RecordHeader*>(record_at(position))->retracted;
  AtomicRef<std::uint8_t>(mark).store(1, std::memory_order_seq_cst);            // K1
  const std::uint64_t claimed = peer_.claimed.load(std::memory_order_seq_cst);  // K2 <- K3
  const bool is_claimed = static_cast<std::int64_t>(claimed - position) > 0;
  return is_claimed ? Retraction::kClaimed : Retraction::kRetracted;
}

bool RingWriter::refresh() noexcept {
  const std::uint64_t consumed = peer_.consumed.load(std::memory_order_seq_cst);  // P1 <- C3
  // R1, R2: what is under way can only become less.
  if (published_ - consumed > published_ - peer_consumed_) violation_ = "consumed";
  if (violation_ != nullptr) return false;
  peer_consumed_ = consumed;
  return true;
}

RingReader::RingReader(ControlLines& own, const ControlLines& peer, std::size_t ring_bytes,
                       std::size_t inline_bytes_max) noexcept
    : own_(own),
      peer_(peer),
      ring_(reinterpret_cast<const std::byte*>(&peer) + kRingOffset),
      cell_mask_(ring_bytes / kCellBytes - 1),
      inline_bytes_max_(inline_bytes_max),
      tail_(own.consumed.load(std::memory_order_relaxed)),
      consumed_(tail_),
      peer_published_(tail_) {}

bool RingReader::refresh(std::memory_order order) noexcept {
  const std::uint64_t published = peer_.published.load(order);  // C1 <- P3
  const std::uint64_t under_way = published - consumed_;
  if (under_way < peer_published_ - consumed_ || under_way > cell_mask_ + 1) {  // R1, R2
    fail("published");
    return false;
  }
  peer_published_ = published;
  return true;
}

RingReader::Next RingReader::fail(Violation what) noexcept {
  if (violation_ == nullptr) violation_ = what;
  return Next::kViolation;
}

bool RingReader::claim_retracted() noexcept {
  own_.claimed.store(tail_ + record_cells_, std::memory_order_seq_cst);  // K3 -> K2
  // Only read; the segment is mapped read-only, and std::atomic_ref has no const form before C++26.
  auto* header = reinterpret_cast<RecordHeader*>(const_cast<std::byte*>(ring_ + (tail_ & cell_mask_) * kCellBytes));
  return AtomicRef<std::uint8_t>(header->retracted).load(std::memory_order_seq_cst) != 0;  // K4 <- K1
}

bool RingReader::readable_before_sleep() noexcept {
  if (tail_ != peer_published_) return true;
  // A violation is readable too: peek() reports it.
  return !refresh(std::memory_order_seq_cst) || tail_ != peer_published_;
}

}  // namespace wharf::shm
