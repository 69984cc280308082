#include "wharf/shm/ring.h"

#include <cstring>

#include "wharf/runtime/base/check.h"

namespace wharf::shm {

RingWriter::RingWriter(ControlLines& own, const ControlLines& peer, std::size_t ring_bytes) noexcept
    : own_(own),
      peer_(peer),
      ring_(reinterpret_cast<std::byte*>(&own) + kRingOffset),
      cell_mask_(ring_bytes / kCellBytes - 1),
      head_(own.published.load(std::memory_order_relaxed)),
      published_(head_),
      peer_consumed_(head_) {}

std::byte* RingWriter::reserve(std::size_t cells) noexcept {
  const std::uint64_t cell_count = cell_mask_ + 1;
  WHARF_DCHECK(cells <= cell_count / 2, "R4");
  const std::uint64_t at = head_ & cell_mask_;
  const std::uint64_t to_end = cell_count - at;
  const std::uint64_t pad = cells <= to_end ? 0 : to_end;
  if (head_ + pad + cells - peer_consumed_ > cell_count) {
    if (!refresh() || head_ + pad + cells - peer_consumed_ > cell_count) return nullptr;
  }
  reserved_pad_cells_ = pad;
  reserved_cells_ = cells;
  return ring_ + ((at + pad) & cell_mask_) * kCellBytes;
}

std::uint64_t RingWriter::commit() noexcept {
  if (reserved_pad_cells_ != 0) {
    RecordHeader pad{};
    pad.kind = RecordKind::kPad;
    std::memcpy(ring_ + (head_ & cell_mask_) * kCellBytes, &pad, sizeof(pad));
  }
  const std::uint64_t position = head_ + reserved_pad_cells_;
  head_ = position + reserved_cells_;
  reserved_pad_cells_ = reserved_cells_ = 0;
  return position;
}

RingWriter::Retraction RingWriter::retract(std::uint64_t position) noexcept {
  // Beyond what we know to be consumed, no cell has been used again.
  if (head_ - position > head_ - peer_consumed_) return Retraction::kConsumed;
  std::uint8_t& mark = reinterpret_cast<RecordHeader*>(record_at(position))->retracted;
  AtomicRef<std::uint8_t>(mark).store(1, std::memory_order_seq_cst);           // K1
  const std::uint64_t claimed = peer_.claimed.load(std::memory_order_seq_cst);  // K2 <- K3
  const bool is_claimed = static_cast<std::int64_t>(claimed - position) > 0;
  return is_claimed ? Retraction::kClaimed : Retraction::kRetracted;
}

bool RingWriter::publish() noexcept {
  if (head_ == published_) return false;
  published_ = head_;
  own_.published.store(head_, std::memory_order_seq_cst);  // P3 -> C1; S2 of sleep.h
  return true;
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

Violation RingReader::check(const RecordHeader& header, std::size_t cells_to_end) const noexcept {
  if (header.kind < RecordKind::kMessage || header.kind > kRecordKindLast) return "record.kind";
  if ((header.flags & ~kFlagsKnown) != 0) return "record.flags";
  if (header.retracted > 1) return "record.retracted";
  if (header.fds_sequence != 0 && header.fd_count == 0) return "record.fds_sequence";
  if (header.fd_count > kFdCountMax) return "record.fd_count";
  if (header.block_count > kBlockCountMax) return "record.block_count";
  if (header.inline_bytes > inline_bytes_max_) return "record.inline_bytes";
  if (header.kind == RecordKind::kPad) return nullptr;
  if (record_cells(header.block_count, header.inline_bytes) > cells_to_end) return "record size";
  return nullptr;
}

RingReader::Next RingReader::peek(RecordView& record) noexcept {
  if (violation_ != nullptr) return Next::kViolation;
  while (true) {
    if (tail_ == peer_published_) {
      if (!refresh(std::memory_order_acquire)) return Next::kViolation;
      if (tail_ == peer_published_) return Next::kEmpty;
    }
    const std::uint64_t at = tail_ & cell_mask_;
    const std::byte* cell = ring_ + at * kCellBytes;
    std::memcpy(&record.header, cell, sizeof(RecordHeader));  // C2: read once
    const std::uint64_t to_end = cell_mask_ + 1 - at;
    const std::uint64_t available = peer_published_ - tail_;
    if (Violation what = check(record.header, to_end < available ? to_end : available); what != nullptr) {
      return fail(what);
    }
    if (record.header.kind == RecordKind::kPad) {
      // A pad never stands alone: it is published together with the record that it makes room for.
      if (to_end >= available) return fail("record.kind");
      tail_ += to_end;
      continue;
    }
    record_cells_ = record_cells(record.header.block_count, record.header.inline_bytes);
    record.descriptors = cell + sizeof(RecordHeader);
    record.inline_bytes = record.descriptors + record.header.block_count * sizeof(BlockDescriptor);
    return Next::kRecord;
  }
}

void RingReader::pop() noexcept {
  tail_ += record_cells_;
  record_cells_ = 0;
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

bool RingReader::publish() noexcept {
  if (tail_ == consumed_) return false;
  consumed_ = tail_;
  own_.consumed.store(tail_, std::memory_order_seq_cst);  // C3 -> P1; S2 of sleep.h
  return true;
}

}  // namespace wharf::shm
