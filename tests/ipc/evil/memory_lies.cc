#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

using shm::BlockDescriptor;
using shm::RecordHeader;
using shm::RecordKind;

RecordHeader good_record() {
  RecordHeader header{};
  header.kind = RecordKind::kMessage;
  return header;
}

template <class Change>
void write_changed(RawLink& link, Change change) {
  RecordHeader header = good_record();
  change(header);
  link.write_record(header);
}

void write_block(RawLink& link, BlockDescriptor block) {
  RecordHeader header = good_record();
  header.block_count = 1;
  link.write_record(header, bytes_of(block));
}

Fds fds_of(runtime::UniqueFd fd) {
  Fds fds;
  fds.push_back(std::move(fd));
  return fds;
}

// Announces `fd` as our next arena segment.
void announce(RawLink& link, runtime::UniqueFd fd) {
  RecordHeader header{};
  header.kind = RecordKind::kSegment;
  header.fds_sequence = static_cast<std::uint32_t>(link.next_sequence());
  link.send_packet({.kind = PacketKind::kFds}, "", fds_of(std::move(fd)));
  header.fd_count = 1;
  link.write_record(header);
}

void retire(RawLink& link, std::uint32_t segment_id) {
  RecordHeader header{};
  header.kind = RecordKind::kRetire;
  header.type = segment_id;
  link.write_record(header);
}

runtime::UniqueFd arena_of(std::size_t bytes, std::uint32_t id, MemfdOptions options = {}) {
  shm::SegmentHeader header = good_header(shm::SegmentKind::kArena, bytes);
  header.id = id;
  options.bytes = bytes;
  return make_memfd(header, options);
}

constexpr int kFileSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

runtime::UniqueFd payload_file(MemfdOptions options) {
  options.header = false;
  return make_memfd({}, options);
}

// Sends `fds`, and descriptors that say they are files of 8192 bytes, or as `said`.
void write_files(RawLink& link, Fds fds, std::uint32_t first_token = 0, std::size_t count = 1,
                 BlockDescriptor said = {0, shm::kFileSegment, 0, 8192}) {
  RecordHeader header = good_record();
  if (!fds.empty()) header.fds_sequence = static_cast<std::uint32_t>(link.next_sequence());
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  header.block_count = static_cast<std::uint16_t>(count);
  if (!fds.empty()) link.send_packet({.kind = PacketKind::kFds}, "", fds);
  std::string rest;
  for (std::size_t i = 0; i < count; ++i) {
    said.token = first_token;
    rest += bytes_of(said);
  }
  link.write_record(header, rest, shm::record_cells(count, 0));
}

// The honest side's block, received and not returned.
BlockDescriptor lent_block(RawLink& link) {
  BlockDescriptor block{};
  static_cast<void>(link.receive_block(block));
  return block;
}

constexpr Lie kLies[] = {
    {"Kind0", Stage::kLane, "record.kind",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.kind = RecordKind{0}; }); }},
    {"Kind8", Stage::kLane, "record.kind",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.kind = RecordKind{8}; }); }},
    {"PadAlone", Stage::kLane, "record.kind",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.kind = RecordKind::kPad; }); }},
    {"UnknownFlag", Stage::kLane, "record.flags",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.flags = 0x40; }); }},
    {"RetractedTwice", Stage::kLane, "record.retracted",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.retracted = 2; }); }},
    {"SequenceWithoutDescriptors", Stage::kLane, "record.fds_sequence",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.fds_sequence = 1; }); }},
    {"SeventeenDescriptors", Stage::kLane, "record.fd_count",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.fd_count = 17; }); }},
    {"TooManyBlocks", Stage::kLane, "record.block_count",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.block_count = 257; }); }},
    {"TooMuchInline", Stage::kLane, "record.inline_bytes",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.inline_bytes = 1025; }); }},
    {"LargerThanPublished", Stage::kLane, "record size",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.inline_bytes = 1000; }); }},
    {"EndWithPayload", Stage::kLane, "record.kind",
     [](RawLink& link) {
       write_changed(link, [](RecordHeader& header) {
         header.kind = RecordKind::kFin;
         header.inline_bytes = 1;
       });
     }},
    {"PublishedTooFar", Stage::kLane, "published",
     [](RawLink& link) { link.lines().published.store(kRawRingBytes / shm::kCellBytes + 1); }},
    {"PublishedGoesBack", Stage::kLane, "published", [](RawLink& link) { link.lines().published.store(UINT64_MAX); }},
    {"ConsumedTooFar", Stage::kLane, "consumed", [](RawLink& link) { link.lines().consumed.store(1'000'000); }},
    {"DescriptorsMissing", Stage::kLane, "record.fd_count",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.fd_count = 1; }); }},
    {"DescriptorsOfAnotherCount", Stage::kLane, "record.fd_count",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kFds}, "", fds_of(numbered_file(1)));
       write_changed(link, [](RecordHeader& header) { header.fd_count = 2; });
     }},
    {"DescriptorsOfAnotherPacket", Stage::kLane, "record.fds_sequence",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kFds}, "", fds_of(numbered_file(1)));
       write_changed(link, [&link](RecordHeader& header) {
         header.fd_count = 1;
         header.fds_sequence = static_cast<std::uint32_t>(link.next_sequence());
       });
     }},
    {"CreditWithPayload", Stage::kLane, "record.kind",
     [](RawLink& link) {
       write_changed(link, [](RecordHeader& header) {
         header.kind = RecordKind::kCredit;
         header.inline_bytes = 1;
       });
     }},
    {"DescriptorsInAMessagePacket", Stage::kLane, "record.fd_count",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kMessage}, "", fds_of(numbered_file(1)));
       write_changed(link, [](RecordHeader& header) { header.fd_count = 1; });
     }},
    {"BlockOfNoSegment", Stage::kLane, "outside the arena", [](RawLink& link) { write_block(link, {1, 0, 0, 1}); }},
    {"BlockOfTheLastSegment", Stage::kLane, "returned, but not lent",
     [](RawLink& link) { write_block(link, {1, UINT32_MAX, 0, 1}); }},
    {"BlockBehindTheSegment", Stage::kLane, "outside the arena",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       write_block(link, {1, 0, 16, 1});
     }},
    {"BlockBeyondTheSegment", Stage::kLane, "outside the arena",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       write_block(link, {1, 0, 15, 257});
     }},
    {"BlockThatWrapsAround", Stage::kLane, "outside the arena",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       write_block(link, {1, 0, UINT32_MAX, UINT32_MAX});
     }},
    {"BlocksOverlap", Stage::kLane, "overlaps another",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       RecordHeader header = good_record();
       header.block_count = 2;
       const BlockDescriptor twice[] = {{1, 0, 3, 256}, {2, 0, 2, 257}};
       link.write_record(header, bytes_of(twice));
     }},
    {"ReturnedBlockElsewhere", Stage::kLane, "returned, but not lent",
     [](RawLink& link) {
       BlockDescriptor block = lent_block(link);
       block.segment |= shm::kReturnedBit;
       ++block.offset_units;
       write_block(link, block);
     }},
    {"ReturnedBlockLarger", Stage::kLane, "returned, but not lent",
     [](RawLink& link) {
       BlockDescriptor block = lent_block(link);
       block.segment |= shm::kReturnedBit;
       block.bytes = 1 << 20;
       write_block(link, block);
     }},
    {"ReturnedBlockTwice", Stage::kLane, "returned, but not lent",
     [](RawLink& link) {
       BlockDescriptor block = lent_block(link);
       block.segment |= shm::kReturnedBit;
       write_block(link, block);
       write_block(link, block);
     }},
    {"ReturnedAndReleased", Stage::kLane, "the peer broke the link's format",
     [](RawLink& link) {
       BlockDescriptor block = lent_block(link);
       link.releases().push(block.token);
       block.segment |= shm::kReturnedBit;
       write_block(link, block);
       link.writer().publish();
       link.publish();
     }},
    {"ForeignRelease", Stage::kLane, "it does not hold",
     [](RawLink& link) { link.releases().push(lent_block(link).token + 1); }},
    {"ReleaseOfAnotherGeneration", Stage::kLane, "it does not hold",
     [](RawLink& link) { link.releases().push(lent_block(link).token + 0x1'0000); }},
    {"DoubleRelease", Stage::kLane, "it does not hold",
     [](RawLink& link) {
       const std::uint32_t token = lent_block(link).token;
       link.releases().push(token);
       link.releases().push(token);
     }},
    {"ReleasesWithoutEnd", Stage::kLane, "it does not hold",
     [](RawLink& link) { link.lines().returned.store(UINT64_MAX / 2); }},
    {"SegmentWithoutDescriptor", Stage::kLane, "segment.fd_count",
     [](RawLink& link) { write_changed(link, [](RecordHeader& header) { header.kind = RecordKind::kSegment; }); }},
    {"SegmentWithPayload", Stage::kLane, "segment: it carries something",
     [](RawLink& link) {
       write_changed(link, [](RecordHeader& header) {
         header.kind = RecordKind::kSegment;
         header.fd_count = 1;
         header.inline_bytes = 1;
       });
     }},
    {"SegmentIsAPipe", Stage::kLane, "not a memfd", [](RawLink& link) { announce(link, Tracer().take()); }},
    {"SegmentIsADirectory", Stage::kLane, "not a memfd",
     [](RawLink& link) { announce(link, runtime::UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC))); }},
    {"SegmentIsAnOrdinaryFile", Stage::kLane, "not a memfd",
     [](RawLink& link) { announce(link, runtime::UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))); }},
    {"SegmentMayShrink", Stage::kLane, "seals",
     [](RawLink& link) { announce(link, arena_of(8192, 0, {.seals = kSegmentSeals & ~F_SEAL_SHRINK})); }},
    {"SegmentMayBeWrittenByOthers", Stage::kLane, "seals",
     [](RawLink& link) { announce(link, arena_of(8192, 0, {.seals = kSegmentSeals & ~F_SEAL_FUTURE_WRITE})); }},
    {"SegmentIsSparse", Stage::kLane, "sparse",
     [](RawLink& link) { announce(link, arena_of(1 << 20, 0, {.allocated = false})); }},
    {"SegmentHasNoRoom", Stage::kLane, "no room", [](RawLink& link) { announce(link, arena_of(4096, 0)); }},
    {"SegmentOutOfOrder", Stage::kLane, "id is out of order",
     [](RawLink& link) {
       announce(link, arena_of(8192, 1));
       announce(link, arena_of(8192, 0));
     }},
    {"SegmentAfterTheLast", Stage::kLane, "id is out of order",
     [](RawLink& link) { announce(link, arena_of(8192, UINT32_MAX)); }},
    {"SegmentInAnothersPlace", Stage::kLane, "id has the place",
     [](RawLink& link) {
       announce(link, arena_of(8192, 1));
       announce(link, arena_of(8192, 257));
     }},
    {"RetireOfNoSegment", Stage::kLane, "retire.type", [](RawLink& link) { retire(link, 0); }},
    {"RetireOfTheLastSegment", Stage::kLane, "retire.type", [](RawLink& link) { retire(link, UINT32_MAX); }},
    {"RetireTwice", Stage::kLane, "retire.type",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       retire(link, 0);
       retire(link, 0);
     }},
    {"RetireOfOurs", Stage::kLane, "retire.type", [](RawLink& link) { retire(link, lent_block(link).segment); }},
    {"RetireWithPayload", Stage::kLane, "retire: it carries something",
     [](RawLink& link) {
       write_changed(link, [](RecordHeader& header) {
         header.kind = RecordKind::kRetire;
         header.inline_bytes = 1;
       });
     }},
    {"BlockOfARetiredSegment", Stage::kLane, "outside the arena",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       retire(link, 0);
       write_block(link, {1, 0, 0, 1});
     }},
    {"SegmentAnnouncedTwice", Stage::kLane, "id is out of order",
     [](RawLink& link) {
       announce(link, arena_of(8192, 0));
       announce(link, arena_of(8192, 0));
     }},
    {"SegmentBeyondTheLimit", Stage::kLane, "limit",
     [](RawLink& link) {
       announce(link, arena_of(512 * 1024, 0));
       announce(link, arena_of(1024 * 1024, 1));
     }},
    {"FileIsAPipe", Stage::kLane, "file: not a memfd",
     [](RawLink& link) { write_files(link, fds_of(Tracer().take())); }},
    {"FileIsAnOrdinaryFile", Stage::kLane, "file: not a memfd",
     [](RawLink& link) {
       write_files(link, fds_of(runtime::UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))));
     }},
    {"FileMayBeWritten", Stage::kLane, "file: seals",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.seals = kFileSeals & ~F_SEAL_WRITE}))); }},
    {"FileMayBeWrittenByItsMaker", Stage::kLane, "file: seals",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.seals = kSegmentSeals}))); }},
    {"FileMayShrink", Stage::kLane, "file: seals",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.seals = kFileSeals & ~F_SEAL_SHRINK}))); }},
    {"FileIsSparse", Stage::kLane, "file: file is sparse",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.allocated = false, .seals = kFileSeals}))); }},
    {"FileIsSmaller", Stage::kLane, "file: size is not as said",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.bytes = 4096, .seals = kFileSeals}))); }},
    {"FileIsLarger", Stage::kLane, "file: size is not as said",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.bytes = 16384, .seals = kFileSeals}))); }},
    {"FileThatDidNotCome", Stage::kLane, "more files than descriptors", [](RawLink& link) { write_files(link, {}); }},
    {"FileOfAnotherIndex", Stage::kLane, "descriptor.token",
     [](RawLink& link) { write_files(link, fds_of(payload_file({.seals = kFileSeals})), 1); }},
    {"FileTwice", Stage::kLane, "descriptor.token",
     [](RawLink& link) {
       Fds fds = fds_of(payload_file({.seals = kFileSeals}));
       fds.push_back(payload_file({.seals = kFileSeals}));
       write_files(link, std::move(fds), 1, 2);
     }},
    {"FileBeyondTheLimit", Stage::kLane, "message_bytes_max",
     [](RawLink& link) {
       write_files(link, fds_of(payload_file({.seals = kFileSeals})), 0, 1, {0, shm::kFileSegment, 1, 0});
     }},
    {"SegmentOfAnotherKind", Stage::kLane, "kind",
     [](RawLink& link) { announce(link, make_memfd(good_header(shm::SegmentKind::kControl, 8192))); }},
};

}  // namespace

std::span<const Lie> memory_lies() { return kLies; }

}  // namespace wharf::test
