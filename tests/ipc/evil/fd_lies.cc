// Lies with file descriptors: too many, of kinds that do harm, of every odd kind, and where none belong. A kind that is
// merely odd is delivered and closed like any other.
//
// Not here: a file on FUSE, for which a test would need the right to mount; what such a file can do (hang in close) is shown
// by runtime/close_elsewhere_test.cc with another one.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

using runtime::UniqueFd;
using shm::RecordHeader;
using shm::RecordKind;

UniqueFd opened(const char* path, int flags) { return UniqueFd(::open(path, flags | O_CLOEXEC)); }
UniqueFd socket_of(int domain, int type) { return UniqueFd(::socket(domain, type | SOCK_CLOEXEC, 0)); }
UniqueFd eventfd() { return UniqueFd(::eventfd(0, EFD_CLOEXEC)); }

UniqueFd listener() {
  UniqueFd fd = socket_of(AF_UNIX, SOCK_STREAM);
  const sa_family_t unnamed = AF_UNIX;  // the kernel gives it a name
  static_cast<void>(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&unnamed), sizeof(unnamed)));
  static_cast<void>(::listen(fd.get(), 1));
  return fd;
}

// One end of a pair whose other end has been dropped, and which carries itself: only the kernel's collector frees it.
UniqueFd cycle() {
  int pair[2] = {-1, -1};
  static_cast<void>(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
  RawLink sender{UniqueFd(pair[0]), false};
  Fds fds;
  fds.push_back(runtime::UniqueFd(::fcntl(pair[1], F_DUPFD_CLOEXEC, 0)));
  sender.send_bytes("x", fds);
  return UniqueFd(pair[1]);
}

UniqueFd signals() {
  sigset_t none;
  sigemptyset(&none);
  return UniqueFd(::signalfd(-1, &none, SFD_CLOEXEC));
}

UniqueFd lingering_tcp() {
  UniqueFd fd = socket_of(AF_INET, SOCK_STREAM);
  const linger hours{1, 7200};
  static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hours, sizeof(hours)));
  return fd;
}

UniqueFd huge_hole() {
  UniqueFd fd(::memfd_create("hole", MFD_CLOEXEC));
  static_cast<void>(::ftruncate(fd.get(), off_t{1} << 40));
  return fd;
}

Fds list(UniqueFd fd) {
  Fds fds;
  fds.push_back(std::move(fd));
  return fds;
}

Fds files(std::size_t count) {
  Fds fds;
  for (std::size_t i = 0; i < count; ++i) fds.push_back(numbered_file(i));
  return fds;
}

// As a message, on either route.
void send_fds(RawLink& link, const Fds& fds) { link.send_packet({.kind = PacketKind::kMessage}, "", fds); }

void write_fds(RawLink& link, const Fds& fds, RecordKind kind = RecordKind::kMessage) {
  RecordHeader header{};
  header.kind = kind;
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  header.fds_sequence = static_cast<std::uint32_t>(link.next_sequence());
  link.send_packet({.kind = PacketKind::kFds}, "", fds);
  link.write_record(header);
}

void announce(RawLink& link, UniqueFd fd) { write_fds(link, list(std::move(fd)), RecordKind::kSegment); }

UniqueFd arena(shm::SegmentHeader header, MemfdOptions options = {}) { return make_memfd(header, options); }

template <class Change>
void announce_changed(RawLink& link, Change change) {
  shm::SegmentHeader header = good_header(shm::SegmentKind::kArena, 8192);
  change(header);
  announce(link, arena(header));
}

constexpr std::string_view kUnix = "Unix socket";

constexpr Lie kLies[] = {
    // Too many.
    {"SeventeenAreOneTooMany", Stage::kSocket, "packet.fd_count", [](RawLink& link) { send_fds(link, files(17)); }},
    {"Nineteen", Stage::kSocket, "too many descriptors", [](RawLink& link) { send_fds(link, files(19)); }},
    {"AllThatAPacketTakes", Stage::kSocket, "too many descriptors", [](RawLink& link) { send_fds(link, files(253)); }},
    {"SeventeenForARecord", Stage::kLane, "record.fd_count", [](RawLink& link) { write_fds(link, files(17)); }},
    {"AllThatAPacketTakesForARecord", Stage::kLane, "fd_count", [](RawLink& link) { write_fds(link, files(253)); }},
    {"SixteenAreAllowed", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, files(16)); }},
    {"SixteenForARecord", Stage::kLane, kGoesOn, [](RawLink& link) { write_fds(link, files(16)); }},
    {"AStormOfThem", Stage::kSocket, kGoesOn,
     [](RawLink& link) {
       for (int i = 0; i < 100; ++i) send_fds(link, files(16));
     }},
    {"AStormForRecords", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       for (int i = 0; i < 100; ++i) {
         write_fds(link, files(16));
         link.publish();
       }
     }},
    {"MoreThanTheVictimHasRoomFor", Stage::kSocket, "RLIMIT_NOFILE", [](RawLink& link) { send_fds(link, files(16)); },
     Victim::kAtFdLimit},
    {"MoreThanTheVictimHasRoomForInARecord", Stage::kLane, "RLIMIT_NOFILE",
     [](RawLink& link) { write_fds(link, files(16)); }, Victim::kAtFdLimit},

    // Where none belong.
    {"OnTheEndOfALane", Stage::kLane, "record.kind",
     [](RawLink& link) { write_fds(link, files(1), RecordKind::kFin); }},
    {"TwoWithASegment", Stage::kLane, "segment.fd_count",
     [](RawLink& link) { write_fds(link, files(2), RecordKind::kSegment); }},
    {"OfNoRecord", Stage::kLane, kGoesOn,
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFds}, "", files(16)); }},
    {"OfAnotherRecord", Stage::kLane, "record.fds_sequence",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kFds}, "", files(1));
       RecordHeader header{};
       header.kind = RecordKind::kMessage;
       header.fd_count = 1;
       header.fds_sequence = static_cast<std::uint32_t>(link.next_sequence() + 5);
       link.write_record(header);
     }},
    {"SequenceWithoutAny", Stage::kLane, "record.fds_sequence",
     [](RawLink& link) {
       RecordHeader header{};
       header.kind = RecordKind::kMessage;
       header.fds_sequence = 1;
       link.write_record(header);
     }},
    {"OnAWake", Stage::kSocket, "packet.kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kWake}, "", files(1)); }},
    {"DiesWithSomeOnTheirWay", Stage::kLane, "has gone",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kFds}, "", files(16));
       ::shutdown(link.socket(), SHUT_RDWR);
     }},

    // Unix sockets.
    {"UnixStream", Stage::kSocket, kUnix, [](RawLink& link) { send_fds(link, list(socket_of(AF_UNIX, SOCK_STREAM))); }},
    {"UnixDatagram", Stage::kSocket, kUnix,
     [](RawLink& link) { send_fds(link, list(socket_of(AF_UNIX, SOCK_DGRAM))); }},
    {"UnixSeqpacket", Stage::kSocket, kUnix,
     [](RawLink& link) { send_fds(link, list(socket_of(AF_UNIX, SOCK_SEQPACKET))); }},
    {"UnixListener", Stage::kSocket, kUnix, [](RawLink& link) { send_fds(link, list(listener())); }},
    {"UnixCycle", Stage::kSocket, kUnix, [](RawLink& link) { send_fds(link, list(cycle())); }},
    {"TheLinkItself", Stage::kSocket, kUnix,
     [](RawLink& link) { send_fds(link, list(UniqueFd(::fcntl(link.socket(), F_DUPFD_CLOEXEC, 0)))); }},
    {"UnixSocketBehindFiles", Stage::kSocket, kUnix,
     [](RawLink& link) {
       Fds fds = files(15);
       fds.push_back(socket_of(AF_UNIX, SOCK_STREAM));
       send_fds(link, fds);
     }},
    {"UnixStreamForARecord", Stage::kLane, kUnix,
     [](RawLink& link) { write_fds(link, list(socket_of(AF_UNIX, SOCK_STREAM))); }},
    {"UnixCycleForARecord", Stage::kLane, kUnix, [](RawLink& link) { write_fds(link, list(cycle())); }},
    {"UnixSocketAsASegment", Stage::kLane, kUnix,
     [](RawLink& link) { announce(link, socket_of(AF_UNIX, SOCK_SEQPACKET)); }},

    // Odd, and of no consequence.
    {"Directory", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(opened("/", O_DIRECTORY))); }},
    {"PathOnly", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(opened("/", O_PATH))); }},
    {"ProcFile", Stage::kSocket, kGoesOn,
     [](RawLink& link) { send_fds(link, list(opened("/proc/self/mem", O_RDWR))); }},
    {"NullDevice", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(opened("/dev/null", O_RDWR))); }},
    {"ZeroDevice", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(opened("/dev/zero", O_RDWR))); }},
    {"Pipe", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(Tracer().take())); }},
    {"Epoll", Stage::kSocket, kGoesOn,
     [](RawLink& link) { send_fds(link, list(UniqueFd(::epoll_create1(EPOLL_CLOEXEC)))); }},
    {"Eventfd", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(eventfd())); }},
    {"Timer", Stage::kSocket, kGoesOn,
     [](RawLink& link) { send_fds(link, list(UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)))); }},
    {"Signals", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(signals())); }},
    {"Inotify", Stage::kSocket, kGoesOn,
     [](RawLink& link) { send_fds(link, list(UniqueFd(::inotify_init1(IN_CLOEXEC)))); }},
    {"Pidfd", Stage::kSocket, kGoesOn,
     [](RawLink& link) { send_fds(link, list(UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))))); }},
    {"LingeringTcp", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(lingering_tcp())); }},
    {"Udp", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(socket_of(AF_INET, SOCK_DGRAM))); }},
    {"HugeHole", Stage::kSocket, kGoesOn, [](RawLink& link) { send_fds(link, list(huge_hole())); }},
    {"IoUringRing", Stage::kSocket, kGoesOn,
     [](RawLink& link) {
       std::array<std::uint64_t, 15> parameters{};
       const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 2, parameters.data())));
       const PacketHeader header{.kind = PacketKind::kMessage, .fd_count = 1, .sequence = link.next_sequence()};
       Fds fds;
       fds.push_back(runtime::UniqueFd(::fcntl(ring.get(), F_DUPFD_CLOEXEC, 0)));
       link.send_bytes(bytes_of(header), fds);  // which the kernel refuses: nothing goes out
     }},
    {"EverythingAtOnce", Stage::kLane, kGoesOn,
     [](RawLink& link) {
       Fds fds = list(opened("/", O_DIRECTORY));
       fds.push_back(opened("/dev/zero", O_RDWR));
       fds.push_back(eventfd());
       fds.push_back(lingering_tcp());
       fds.push_back(huge_hole());
       fds.push_back(signals());
       write_fds(link, fds);
     }},

    // As an arena segment.
    {"SegmentIsADevice", Stage::kLane, "not a memfd",
     [](RawLink& link) { announce(link, opened("/dev/zero", O_RDWR)); }},
    {"SegmentIsAPath", Stage::kLane, "not a memfd", [](RawLink& link) { announce(link, opened("/", O_PATH)); }},
    {"SegmentIsAnEventfd", Stage::kLane, "not a memfd", [](RawLink& link) { announce(link, eventfd()); }},
    {"SegmentIsAnEpoll", Stage::kLane, "not a memfd",
     [](RawLink& link) { announce(link, UniqueFd(::epoll_create1(EPOLL_CLOEXEC))); }},
    {"SegmentIsATcpSocket", Stage::kLane, "not a memfd",
     [](RawLink& link) { announce(link, socket_of(AF_INET, SOCK_STREAM)); }},
    {"SegmentIsAHugeHole", Stage::kLane, "seals", [](RawLink& link) { announce(link, huge_hole()); }},
    {"SegmentMayGrow", Stage::kLane, "seals",
     [](RawLink& link) {
       announce(link, arena(good_header(shm::SegmentKind::kArena, 8192), {.seals = kSegmentSeals & ~F_SEAL_GROW}));
     }},
    {"SegmentMayBeSealedFurther", Stage::kLane, "seals",
     [](RawLink& link) {
       announce(link, arena(good_header(shm::SegmentKind::kArena, 8192), {.seals = kSegmentSeals & ~F_SEAL_SEAL}));
     }},
    {"SegmentOfHugePages", Stage::kLane, "huge pages",
     [](RawLink& link) {
       UniqueFd fd(::memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
       static_cast<void>(::ftruncate(fd.get(), 2 << 20));  // needs no such page to be there
       static_cast<void>(::fcntl(fd.get(), F_ADD_SEALS, kSegmentSeals));
       announce(link, std::move(fd));
     }},
    {"SegmentIsEmpty", Stage::kLane, "whole pages",
     [](RawLink& link) { announce(link, arena(good_header(shm::SegmentKind::kArena, 0), {.bytes = 0})); }},
    {"SegmentIsNotWholePages", Stage::kLane, "whole pages",
     [](RawLink& link) { announce(link, arena(good_header(shm::SegmentKind::kArena, 8292), {.bytes = 8292})); }},
    {"SegmentHasNoHeader", Stage::kLane, "magic",
     [](RawLink& link) { announce(link, arena(good_header(shm::SegmentKind::kArena, 8192), {.header = false})); }},
    {"SegmentHasAnotherMagic", Stage::kLane, "magic",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { ++header.magic; }); }},
    {"SegmentHasAnotherVersion", Stage::kLane, "version",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.version = 1; }); }},
    {"SegmentHasNoKind", Stage::kLane, "kind",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.kind = {}; }); }},
    {"SegmentSaysItIsLarger", Stage::kLane, "segment_bytes",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.segment_bytes = 1 << 20; }); }},
    {"SegmentHasTheLastId", Stage::kLane, "id is out of order",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.id = UINT32_MAX; }); }},
    {"SegmentHasARing", Stage::kLane, "ring_bytes",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.ring_bytes = 16'384; }); }},
    {"SegmentHasSlots", Stage::kLane, "release_slot_count",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.release_slot_count = 1; }); }},
    {"SegmentHasReservedBytes", Stage::kLane, "reserved",
     [](RawLink& link) { announce_changed(link, [](shm::SegmentHeader& header) { header.reserved[6] = 1; }); }},
    {"SegmentsWithoutEnd", Stage::kLane, "too many",
     [](RawLink& link) {
       for (std::uint32_t id = 0; id < 300 && link.wait_a_moment(); ++id) {
         shm::SegmentHeader header = good_header(shm::SegmentKind::kArena, 8192);
         header.id = id;
         announce(link, arena(header));
         link.publish();
       }
     }},
};

}  // namespace

std::span<const Lie> fd_lies() { return kLies; }

}  // namespace wharf::test
