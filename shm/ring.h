// The ring: records from the process that owns a control segment to the one that reads it.
//
// Invariants
//   R1 Positions count cells since the link began, and never go back. They are compared by their differences, so that
//      even the wrap at 2^64 would be none.
//   R2 published - consumed is 0..cell_count, as each side knows them.
//   R3 A record is contiguous: one that would cross the end is preceded by a pad record that fills the rest.
//   R4 A record takes at most half the ring, so that pad and record fit an empty ring.
//
// Producer                                           Consumer
//   P1 consumed.load(acquire)    <- C3                 C1 published.load(acquire; seq_cst when about to sleep) <- P3
//   P2 write the cells                                 C2 copy each header once, check the copy, use the copy
//   P3 published.store(release)  -> C1                 C3 consumed.store(release) -> P1
// The sleep protocol needs more order than that, once for many stores: sleep.h, S4.
//
// A request that lies in the ring can be taken back:
//   Producer                                          Consumer, for each request
//     K1 the record's mark.store(1, seq_cst)            K3 claimed.store(the record's end, seq_cst)
//     K2 claimed.load(seq_cst)                          K4 mark.load(seq_cst)
// If K2 finds the record unclaimed, then K1 < K2 < K3 < K4 in the single order of seq_cst operations, so the consumer is
// bound to see the mark and to leave the record alone, blocks and all. If K2 finds it claimed, K4 may have seen the mark
// or not: the consumer's reply says which. tests/model/cancel.pml searches every order.
//
// Threads: each object belongs to one thread.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/cpu.h"
#include "wharf/shm/format.h"

namespace wharf::shm {

// What a peer wrote is not what the format allows; names the field. Null: no violation.
using Violation = const char*;

class RingWriter {
 public:
  // `own` is our control segment, `peer` the other side's; both outlive the writer. Positions go on from what `own` says:
  // 0 in a new segment.
  RingWriter(ControlLines& own, const ControlLines& peer, std::size_t ring_bytes) noexcept;

  // Room for a record of `cells`, or null if the ring is full, or the peer says the impossible (violation()). The record may be abandoned by reserving again.
  //
  // Precondition: cells <= cell_count / 2.
  std::byte* reserve(std::size_t cells) noexcept;
  // The record of the last reserve() is complete. Returns its position, for retract().
  std::uint64_t commit() noexcept;

  enum class Retraction {
    kRetracted,  // the peer will not look at it: its blocks are ours again
    kClaimed,    // the peer has it, and says in its reply whether it saw the mark
    kConsumed,   // the peer has it, and saw no mark
  };
  // Takes a request back, if that is still possible. K1 and K2 above.
  Retraction retract(std::uint64_t position) noexcept;
  // A record of ours; meaningful until retract() would say kConsumed.
  std::byte* record_at(std::uint64_t position) const noexcept { return ring_ + (position & cell_mask_) * kCellBytes; }

  // Lets the peer see what was committed. True if there was something: then the peer may have to be woken.
  bool publish() noexcept;
  bool unpublished() const noexcept { return head_ != published_; }
  std::size_t unpublished_cells() const noexcept { return head_ - published_; }

  // Re-reads how far the peer is. False: the peer's word is impossible, or was before.
  bool refresh() noexcept;
  // The field of the peer's that was impossible when refresh() or reserve() looked, once and for ever; null: none.
  Violation violation() const noexcept { return violation_; }
  // Whether the peer has read the record at `position`, as far as refresh() knows.
  bool consumed(std::uint64_t position) const noexcept { return head_ - position > head_ - peer_consumed_; }
  // True if the peer has consumed something since reserve() last looked, or says the impossible. Ordered for the sleep
  // protocol (P1).
  bool freed_before_sleep() const noexcept { return peer_.consumed.load(std::memory_order_seq_cst) != peer_consumed_; }

 private:
  ControlLines& own_;
  const ControlLines& peer_;
  std::byte* const ring_;
  const std::uint64_t cell_mask_;
  std::uint64_t head_;
  std::uint64_t published_;
  std::uint64_t peer_consumed_;
  std::uint64_t reserved_pad_cells_ = 0;
  std::uint64_t reserved_cells_ = 0;
  Violation violation_ = nullptr;
};

// A record as it was read: the header is a copy that was checked, the spans point into the peer's memory and may change
// under the reader. Valid until pop().
struct RecordView {
  RecordHeader header;
  const std::byte* descriptors;  // header.block_count of them, unaligned reads only
  const std::byte* inline_bytes;
};

class RingReader {
 public:
  // The ring lies in `peer`; `own` carries our progress, and says where it begins.
  RingReader(ControlLines& own, const ControlLines& peer, std::size_t ring_bytes,
             std::size_t inline_bytes_max) noexcept;

  enum class Next { kEmpty, kRecord, kViolation };
  // Looks at the next record, skipping pads; it stays until pop().
  Next peek(RecordView& record) noexcept;
  // The same for the most frequent record alone, in a tenth of the steps: a message without flags, descriptors or blocks.
  // False: peek() tells what there is, if anything; nothing has happened.
  bool peek_plain(RecordView& record) noexcept;
  // Claims the record that peek() showed, a request. True: its sender has taken it back, and nothing of it but its
  // descriptors (fds) may be looked at. K3 and K4 above.
  bool claim_retracted() noexcept;
  void pop() noexcept;

  // Whether peek() would find something, as far as a look tells that orders nothing.
  bool readable() const noexcept {
    return tail_ != peer_published_ || peer_.published.load(std::memory_order_relaxed) != peer_published_;
  }
  // True if peek() would not say kEmpty. Ordered for the sleep protocol (C1).
  bool readable_before_sleep() noexcept;

  // Gives the cells that were read back to the peer. True if there were any: then the peer may have to be woken.
  bool publish() noexcept;
  std::size_t unpublished_cells() const noexcept { return tail_ - consumed_; }

  // The field that made peek() say kViolation.
  Violation violation() const noexcept { return violation_; }

 private:
  bool refresh(std::memory_order order) noexcept;
  void prefetch(std::uint64_t available) const noexcept;
  Next fail(Violation what) noexcept;
  Violation check(const RecordHeader& header, std::size_t cells_to_end) const noexcept;

  ControlLines& own_;
  const ControlLines& peer_;
  const std::byte* const ring_;
  const std::uint64_t cell_mask_;
  const std::size_t inline_bytes_max_;
  std::uint64_t tail_;
  std::uint64_t consumed_;
  std::uint64_t peer_published_;
  std::uint64_t record_cells_ = 0;  // of the record that peek() showed
  Violation violation_ = nullptr;
};

// ---- What runs for each record ----

// How far ahead cells are asked for: a line takes 30 to 250 ns from one core to another, and a small record 20 to handle.
inline constexpr std::uint64_t kPrefetchCells = 16;
// As many as the record has, so that none is left out; of a large one the first, and the processor goes on by itself.
inline constexpr std::uint64_t prefetch_count(std::uint64_t cells) noexcept { return cells < 4 ? cells : 4; }

inline std::byte* RingWriter::reserve(std::size_t cells) noexcept {
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

inline std::uint64_t RingWriter::commit() noexcept {
  if (reserved_pad_cells_ != 0) {
    RecordHeader pad{};
    pad.kind = RecordKind::kPad;
    std::memcpy(ring_ + (head_ & cell_mask_) * kCellBytes, &pad, sizeof(pad));
  }
  const std::uint64_t position = head_ + reserved_pad_cells_;
  head_ = position + reserved_cells_;
  // The lines ahead that the peer has left, while these are still on their way to it.
  for (std::uint64_t ahead = head_ + kPrefetchCells, i = 0; i < prefetch_count(reserved_cells_); ++i, ++ahead) {
    if (ahead - peer_consumed_ <= cell_mask_) runtime::prefetch_for_write(ring_ + (ahead & cell_mask_) * kCellBytes);
  }
  reserved_pad_cells_ = reserved_cells_ = 0;
  return position;
}

inline bool RingWriter::publish() noexcept {
  if (head_ == published_) return false;
  published_ = head_;
  own_.published.store(head_, std::memory_order_release);  // P3 -> C1; S2 of sleep.h
  return true;
}

inline Violation RingReader::check(const RecordHeader& header, std::size_t cells_to_end) const noexcept {
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

// Cells ahead, as many as the record has; never a line that the peer may still be writing.
inline void RingReader::prefetch(std::uint64_t available) const noexcept {
  for (std::uint64_t ahead = kPrefetchCells, i = 0; i < prefetch_count(record_cells_) && ahead < available;
       ++i, ++ahead) {
    __builtin_prefetch(ring_ + ((tail_ + ahead) & cell_mask_) * kCellBytes);
  }
}

// The first word of a plain record but for inline_bytes, so that one comparison checks six fields.
using RecordWords = std::array<std::uint64_t, sizeof(RecordHeader) / sizeof(std::uint64_t)>;
inline constexpr std::uint64_t kPlainWord = std::bit_cast<RecordWords>(RecordHeader{.kind = RecordKind::kMessage})[0];
inline constexpr std::uint64_t kPlainMask =
    ~std::bit_cast<RecordWords>(RecordHeader{.kind = RecordKind{}, .inline_bytes = 0xffff})[0];

inline bool RingReader::peek_plain(RecordView& record) noexcept {
  if (tail_ == peer_published_) {
    if (peer_.published.load(std::memory_order_relaxed) == tail_ || violation_ != nullptr) return false;
    if (!refresh(std::memory_order_acquire)) return false;
  }
  const std::uint64_t at = tail_ & cell_mask_;
  const std::byte* cell = ring_ + at * kCellBytes;
  __builtin_prefetch(cell + kCellBytes);
  std::memcpy(&record.header, cell, sizeof(RecordHeader));  // C2
  if ((std::bit_cast<RecordWords>(record.header)[0] & kPlainMask) != kPlainWord || record.header.fds_sequence != 0 ||
      record.header.inline_bytes > inline_bytes_max_) {
    return false;
  }
  const std::uint64_t available = peer_published_ - tail_;
  const std::uint64_t cells = record_cells(0, record.header.inline_bytes);
  if (cells > available || cells > cell_mask_ + 1 - at) return false;
  record_cells_ = cells;
  prefetch(available);
  record.inline_bytes = cell + sizeof(RecordHeader);
  return true;
}

inline RingReader::Next RingReader::peek(RecordView& record) noexcept {
  if (violation_ != nullptr) return Next::kViolation;
  while (true) {
    if (tail_ == peer_published_) {
      if (!refresh(std::memory_order_acquire)) return Next::kViolation;
      if (tail_ == peer_published_) return Next::kEmpty;
    }
    const std::uint64_t at = tail_ & cell_mask_;
    const std::byte* cell = ring_ + at * kCellBytes;
    __builtin_prefetch(cell + kCellBytes);  // of this record, or the next: it comes while the first line does
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
    prefetch(available);
    record.descriptors = cell + sizeof(RecordHeader);
    record.inline_bytes = record.descriptors + record.header.block_count * sizeof(BlockDescriptor);
    return Next::kRecord;
  }
}

inline void RingReader::pop() noexcept {
  tail_ += record_cells_;
  record_cells_ = 0;
}

inline bool RingReader::publish() noexcept {
  if (tail_ == consumed_) return false;
  consumed_ = tail_;
  own_.consumed.store(tail_, std::memory_order_release);  // C3 -> P1; S2 of sleep.h
  return true;
}

}  // namespace wharf::shm
