// Lies about the control segment that a hello brings along: its kind of file, its seals, every word of its header.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

using runtime::UniqueFd;
using shm::SegmentHeader;

constexpr std::size_t kControlBytes = 24 * 1024;  // of good size for its rings

void offer(RawLink& link, UniqueFd control) {
  Fds fds;
  fds.push_back(std::move(control));
  fds.push_back(runtime::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  link.send_hello(link.own_hello(), fds);
}

SegmentHeader good() {
  SegmentHeader header = good_header(shm::SegmentKind::kControl, kControlBytes);
  header.ring_bytes = kRawRingBytes;
  header.release_slot_count = kRawReleaseSlots;
  return header;
}

void offer_made(RawLink& link, MemfdOptions options) { offer(link, make_memfd(good(), options)); }

template <class Change>
void offer_changed(RawLink& link, Change change) {
  SegmentHeader header = good();
  change(header);
  offer(link, make_memfd(header, {.bytes = kControlBytes}));
}

constexpr Lie kLies[] = {
    {"MemoryIsAnEventfd", Stage::kHandshake, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::eventfd(0, EFD_CLOEXEC))); }},
    {"MemoryIsAnEpoll", Stage::kHandshake, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::epoll_create1(EPOLL_CLOEXEC))); }},
    {"MemoryIsAPipe", Stage::kHandshake, "not a memfd", [](RawLink& link) { offer(link, Tracer().take()); }},
    {"MemoryIsADirectory", Stage::kHandshake, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::open("/", O_DIRECTORY | O_CLOEXEC))); }},
    {"MemoryIsADevice", Stage::kHandshake, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC))); }},
    {"MemoryIsAUnixSocket", Stage::kHandshake, "Unix socket",
     [](RawLink& link) { offer(link, UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0))); }},
    {"MemoryIsTheLinkItself", Stage::kHandshake, "Unix socket",
     [](RawLink& link) { offer(link, UniqueFd(::fcntl(link.socket(), F_DUPFD_CLOEXEC, 0))); }},
    {"MemoryIsAnOrdinaryFile", Stage::kHandshake, "not a memfd",
     [](RawLink& link) { offer(link, UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))); }},
    {"MemoryIsNotSealed", Stage::kHandshake, "seals",
     [](RawLink& link) { offer_made(link, {.bytes = kControlBytes, .seals = 0}); }},
    {"MemoryMayShrink", Stage::kHandshake, "seals",
     [](RawLink& link) { offer_made(link, {.bytes = kControlBytes, .seals = kSegmentSeals & ~F_SEAL_SHRINK}); }},
    {"MemoryMayGrow", Stage::kHandshake, "seals",
     [](RawLink& link) { offer_made(link, {.bytes = kControlBytes, .seals = kSegmentSeals & ~F_SEAL_GROW}); }},
    {"MemoryMayBeWrittenByOthers", Stage::kHandshake, "seals",
     [](RawLink& link) { offer_made(link, {.bytes = kControlBytes, .seals = kSegmentSeals & ~F_SEAL_FUTURE_WRITE}); }},
    {"MemoryIsSparse", Stage::kHandshake, "sparse",
     [](RawLink& link) { offer_made(link, {.bytes = 256 * 1024, .allocated = false}); }},
    {"MemoryIsEmpty", Stage::kHandshake, "whole pages", [](RawLink& link) { offer_made(link, {.bytes = 0}); }},
    {"MemoryIsNotWholePages", Stage::kHandshake, "whole pages",
     [](RawLink& link) { offer_made(link, {.bytes = kControlBytes + 1}); }},
    {"MemoryIsTooLarge", Stage::kHandshake, "beyond the limit",
     [](RawLink& link) { offer_made(link, {.bytes = std::size_t{1} << 40, .allocated = false}); }},
    {"MemoryHasNoHeader", Stage::kHandshake, "magic",
     [](RawLink& link) { offer_made(link, {.bytes = kControlBytes, .header = false}); }},
    {"MemoryHasAnotherMagic", Stage::kHandshake, "magic",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { --header.magic; }); }},
    {"MemoryHasAnOldVersion", Stage::kHandshake, "version",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.version = 1; }); }},
    {"MemoryIsAnArena", Stage::kHandshake, "kind",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.kind = shm::SegmentKind::kArena; }); }},
    {"MemorySaysItIsLarger", Stage::kHandshake, "segment_bytes",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.segment_bytes = UINT64_MAX; }); }},
    {"MemorySaysItIsSmaller", Stage::kHandshake, "segment_bytes",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.segment_bytes = 4096; }); }},
    {"MemoryHasAnId", Stage::kHandshake, "id",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.id = 1; }); }},
    {"MemoryHasReservedBytes", Stage::kHandshake, "reserved",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.reserved[0] = 1; }); }},
    {"RingOfNoBytes", Stage::kHandshake, "ring_bytes",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.ring_bytes = 0; }); }},
    {"RingIsNoPowerOfTwo", Stage::kHandshake, "ring_bytes",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.ring_bytes = 16'385; }); }},
    {"RingIsTooSmall", Stage::kHandshake, "ring_bytes",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.ring_bytes = 8192; }); }},
    {"RingIsTheLargestNumber", Stage::kHandshake, "ring_bytes",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.ring_bytes = 0x8000'0000; }); }},
    {"RingIsLargerThanItsSegment", Stage::kHandshake, "segment_bytes is too small",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.ring_bytes = 32 * 1024; }); }},
    {"NoSlots", Stage::kHandshake, "release_slot_count",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.release_slot_count = 0; }); }},
    {"SlotsAreMore", Stage::kHandshake, "release_slot_count",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.release_slot_count = 1024; }); }},
    {"SlotsAreTheLargestNumber", Stage::kHandshake, "release_slot_count",
     [](RawLink& link) { offer_changed(link, [](SegmentHeader& header) { header.release_slot_count = UINT32_MAX; }); }},
};

}  // namespace

std::span<const Lie> handshake_memory_lies() { return kLies; }

}  // namespace wharf::test
