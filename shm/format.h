// The bytes that two processes share, as structs. docs/formats.md is the format; the asserts hold the two together.
//
// A link has two control segments, one created by each side, and arena segments that come when they are needed. Each is
// a sealed memfd that its creator alone can write. All numbers are in the machine's byte order: both ends run on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/shm/atomic.h"

namespace wharf::shm {

inline constexpr std::uint64_t kSegmentMagic = 0x3147'4553'5248'5721;  // "!WHRSEG1"
inline constexpr std::uint32_t kFormatVersion = 2;

inline constexpr std::size_t kCellBytes = 64;        // a ring is made of cells; a record starts on one
inline constexpr std::size_t kLineBytes = 128;       // two cache lines: adjacent-line prefetch makes pairs of them
inline constexpr std::size_t kBlockUnitBytes = 256;  // blocks of an arena start at its multiples

enum class SegmentKind : std::uint32_t { kControl = 1, kArena = 2 };

// Starts every segment; constant once the segment has been announced.
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t version;
  SegmentKind kind;
  std::uint64_t segment_bytes;       // of the whole file
  std::uint32_t id;                  // of an arena: rises, see docs/formats.md; control: 0
  std::uint32_t ring_bytes;          // control only, else 0; a power of two
  std::uint32_t release_slot_count;  // control only, else 0; a power of two
  std::uint32_t reserved[7];
};
static_assert(sizeof(SegmentHeader) == 64);

// The lines of a control segment. Each word has one writer: the segment's creator.
struct ControlLines {
  SegmentHeader header;
  alignas(kLineBytes) Atomic<std::uint64_t> published;  // cells written to the creator's ring, ever
  alignas(kLineBytes) Atomic<std::uint64_t> consumed;   // cells read from the peer's ring, ever
  Atomic<std::uint64_t> returned;                       // entries written to the creator's release ring, ever
  Atomic<std::uint64_t> claimed;  // cells of the peer's ring whose requests can no longer be retracted
  alignas(kLineBytes) Atomic<std::uint64_t> sleep;  // see sleep.h
  Atomic<std::uint32_t> cpu;  // where the creator ran when it last slept or woke, plus 1; 0: unknown
};
static_assert(sizeof(ControlLines) == 4 * kLineBytes);
static_assert(offsetof(ControlLines, published) == 128);
static_assert(offsetof(ControlLines, consumed) == 256);
static_assert(offsetof(ControlLines, returned) == 264);
static_assert(offsetof(ControlLines, claimed) == 272);
static_assert(offsetof(ControlLines, sleep) == 384);
static_assert(offsetof(ControlLines, cpu) == 392);

inline constexpr std::size_t kRingOffset = sizeof(ControlLines);

// Where the blocks of an arena segment begin: behind its header, on a page of their own.
inline constexpr std::size_t kArenaDataOffset = 4096;

// An entry of a release ring: a block of the peer's arena that the creator has finished with.
struct ReleaseEntry {
  std::uint32_t token;
  std::uint32_t reserved;
};
static_assert(sizeof(ReleaseEntry) == 8);

inline constexpr std::size_t control_segment_bytes(std::size_t ring_bytes, std::size_t release_slot_count) noexcept {
  return kRingOffset + ring_bytes + release_slot_count * sizeof(ReleaseEntry);
}

enum class RecordKind : std::uint8_t {
  kMessage = 1,
  kPad = 2,      // nothing until the ring's end
  kSegment = 3,  // the fd that rides with it is the sender's next arena segment
  kFin = 4,      // the sender will send no more
  kRetire = 5,   // the sender's arena segment `type` is no longer used
  kCredit = 6,   // `type` more parts may be sent on `stream`
  kCancel = 7,   // nobody waits for the reply to `stream` any more
};
inline constexpr RecordKind kRecordKindLast = RecordKind::kCancel;

enum RecordFlag : std::uint8_t {
  kFlagRequest = 1,     // expects a reply to `stream`, which the sender numbered
  kFlagReply = 2,       // answers the request `stream`, which the receiver numbered
  kFlagError = 4,       // with kFlagReply: `type` is a status code, the payload its text
  kFlagMore = 8,        // further parts of this request or reply follow on the same stream
  kFlagContinued = 16,  // with kFlagRequest: a further part of a request, not its first
  kFlagRetracted = 32,  // with kFlagReply and kFlagError: the request was marked as retracted, and not looked at
};
inline constexpr std::uint8_t kFlagsKnown =
    kFlagRequest | kFlagReply | kFlagError | kFlagMore | kFlagContinued | kFlagRetracted;

// A record is this header, then `block_count` descriptors, then `inline_bytes` bytes, then padding up to a cell. Its
// payload is the inline bytes followed by the blocks, in order.
struct RecordHeader {
  RecordKind kind;
  std::uint8_t flags;
  std::uint8_t fd_count;
  std::uint8_t retracted;  // 0; set to 1 after publishing, if the sender wants its request back (ring.h)
  std::uint16_t block_count;
  std::uint16_t inline_bytes;
  std::uint32_t type;
  std::uint32_t fds_sequence;  // of the packet that carries the fds, modulo 2^32; 0 without fds
  std::uint64_t stream;
  std::int64_t deadline_ns;  // CLOCK_MONOTONIC; 0: none
};
static_assert(sizeof(RecordHeader) == 32);
static_assert(offsetof(RecordHeader, retracted) == 3);

// A block, or part of one, as payload.
struct BlockDescriptor {
  std::uint32_t token;    // what the receiver returns when it has finished
  std::uint32_t segment;  // arena segment id; with kReturnedBit the block lies in the receiver's own arena
  std::uint32_t offset_units;
  std::uint32_t bytes;
};
static_assert(sizeof(BlockDescriptor) == 16);
inline constexpr std::uint32_t kReturnedBit = 0x8000'0000;
// A `segment` that is none: the payload is a sealed memfd. Then `token` is its index among the message's fds, and
// `offset_units` the upper half of its size in bytes.
inline constexpr std::uint32_t kFileSegment = 0x7fff'ffff;

inline constexpr std::size_t record_cells(std::size_t block_count, std::size_t inline_bytes) noexcept {
  return (sizeof(RecordHeader) + block_count * sizeof(BlockDescriptor) + inline_bytes + kCellBytes - 1) / kCellBytes;
}
static_assert(record_cells(0, 32) == 1, "a message of 32 bytes is one cache line");

// Limits that hold for every link, whatever its options.
inline constexpr std::size_t kBlockCountMax = 256;       // of one record
inline constexpr std::size_t kInlineBytesMax = 2048;     // of one record
inline constexpr std::size_t kFdCountMax = 16;           // of one record; SCM_MAX_FD is 253
inline constexpr std::size_t kSegmentCountMax = 256;     // arenas per side, at once
inline constexpr std::size_t kRingBytesMin = 16 * 1024;  // the largest record fits twice (ring.h)
inline constexpr std::size_t kRingBytesMax = 16 * 1024 * 1024;
inline constexpr std::size_t kReleaseSlotCountMin = kBlockCountMax;
inline constexpr std::size_t kReleaseSlotCountMax = 65'536;   // a token has 16 bits for the slot
inline constexpr std::uint32_t kSegmentIdEnd = kFileSegment;  // ids are below it
inline constexpr std::size_t kArenaSegmentBytesMax = std::size_t{4} << 30;
static_assert(2 * record_cells(kBlockCountMax, kInlineBytesMax) * kCellBytes <= kRingBytesMin);

}  // namespace wharf::shm
