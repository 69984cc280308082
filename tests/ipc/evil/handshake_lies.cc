// Lies in the handshake: every field wrong, every packet at the wrong time, and every way to fall silent.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

using ipc::detail::Ready;
using runtime::UniqueFd;

Fds files(std::size_t count) {
  Fds fds;
  for (std::size_t i = 0; i < count; ++i) fds.push_back(numbered_file(i));
  return fds;
}

// A hello without memory, with a change.
template <class Change>
void say_hello(RawLink& link, Change change, const Fds& fds = {}) {
  Hello hello = link.own_hello();
  hello.shared_memory = 0;
  change(hello);
  link.send_hello(hello, fds);
}
void say_hello(RawLink& link) {
  say_hello(link, [](Hello&) {});
}

template <class Change>
void send_changed_hello(RawLink& link, Change change) {
  Hello hello = link.own_hello();
  hello.shared_memory = 0;
  PacketHeader header{.kind = PacketKind::kHello, .fragment_bytes = sizeof(hello), .message_bytes = sizeof(hello)};
  change(header);
  link.send_bytes(std::string(bytes_of(header)).append(bytes_of(hello)));
}

void say_ready(RawLink& link, Ready ready, const Fds& fds = {}) {
  link.send_packet({.kind = PacketKind::kReady, .message_bytes = sizeof(ready)}, bytes_of(ready), fds);
}

void die(RawLink& link) { ::shutdown(link.socket(), SHUT_RDWR); }

constexpr std::string_view kClosed = "closed the link before it was open";
constexpr std::string_view kSilent = "said nothing in time";
constexpr std::string_view kOther = "another kind or size";

constexpr Lie kLies[] = {
    // Silence and death, at each step.
    {"Silence", Stage::kHandshake, kSilent, [](RawLink&) {}, Victim::kImpatient},
    {"SilenceAfterHello", Stage::kHandshake, kSilent, [](RawLink& link) { say_hello(link); }, Victim::kImpatient},
    {"DiesAtOnce", Stage::kHandshake, kClosed, die},
    {"DiesAfterHello", Stage::kHandshake, kClosed,
     [](RawLink& link) {
       say_hello(link);
       die(link);
     }},
    {"DiesAfterHalfAHello", Stage::kHandshake, "handshake",
     [](RawLink& link) {
       link.send_packet({.kind = PacketKind::kHello}, std::string(32, '\0'));
       die(link);
     }},
    {"ClosesItsSending", Stage::kHandshake, kClosed, [](RawLink& link) { ::shutdown(link.socket(), SHUT_WR); }},
    {"ClosesItsSendingAfterHello", Stage::kHandshake, kClosed,
     [](RawLink& link) {
       say_hello(link);
       ::shutdown(link.socket(), SHUT_WR);
     }},

    // Every field of the hello.
    {"MagicIsZero", Stage::kHandshake, "no wharf program",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.magic = 0; }); }},
    {"MagicIsOfASegment", Stage::kHandshake, "no wharf program",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.magic = shm::kSegmentMagic; }); }},
    {"VersionIsZero", Stage::kHandshake, "link version 0",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.version = 0; }); }},
    {"VersionIsTheLast", Stage::kHandshake, "link version 4294967295",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.version = UINT32_MAX; }); }},
    {"SharedMemoryIsTwo", Stage::kHandshake, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = 2; }); }},
    {"SharedMemoryIsTheLast", Stage::kHandshake, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = UINT32_MAX; }, files(2)); }},
    {"SharedMemoryAndNone", Stage::kHandshake, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = 1; }); }},
    {"SharedMemoryAndOneFile", Stage::kHandshake, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = 1; }, files(1)); }},
    {"SharedMemoryAndThreeFiles", Stage::kHandshake, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.shared_memory = 1; }, files(3)); }},
    {"NoSharedMemoryAndTwoFiles", Stage::kHandshake, "hello.shared_memory",
     [](RawLink& link) { say_hello(link, [](Hello&) {}, files(2)); }},
    {"MessagesOfNoBytes", Stage::kHandshake, "hello.message_bytes_max",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.message_bytes_max = 0; }); }},
    {"PacketsOfNoBytes", Stage::kHandshake, "hello.packet_bytes_max",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.packet_bytes_max = 0; }); }},
    {"PacketsOneByteTooSmall", Stage::kHandshake, "hello.packet_bytes_max",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.packet_bytes_max = 1023; }); }},
    {"NoWindow", Stage::kHandshake, "hello.stream_window",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.stream_window = 0; }); }},
    {"RingsInAThirdWay", Stage::kHandshake, "hello.rings_by_packet",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.rings_by_packet = 2; }); }},
    {"FirstReservedWord", Stage::kHandshake, "hello.reserved",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.reserved[0] = 1; }); }},
    {"LastReservedByte", Stage::kHandshake, "hello.reserved",
     [](RawLink& link) { say_hello(link, [](Hello& hello) { hello.reserved[2] = std::uint64_t{1} << 63; }); }},

    // Every field of its packet.
    {"HelloOfKindZero", Stage::kHandshake, "packet.kind",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.kind = {}; }); }},
    {"HelloOfTheLastKind", Stage::kHandshake, "packet.kind",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.kind = PacketKind{255}; }); }},
    {"HelloWithFlags", Stage::kHandshake, "packet.flags",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.flags = 0x80; }); }},
    {"HelloWithReservedByte", Stage::kHandshake, "packet.reserved",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.reserved0 = 1; }); }},
    {"HelloClaimsFiles", Stage::kHandshake, "packet.fd_count",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.fd_count = 2; }); }},
    {"HelloClaimsMoreBytes", Stage::kHandshake, "packet.fragment_bytes",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.fragment_bytes = UINT32_MAX; }); }},
    {"HelloIsNotTheFirst", Stage::kHandshake, "packet.sequence",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.sequence = 1; }); }},
    {"HelloIsTheLast", Stage::kHandshake, "packet.sequence",
     [](RawLink& link) { send_changed_hello(link, [](PacketHeader& header) { header.sequence = UINT64_MAX; }); }},

    // Sizes, order, and how often.
    {"HelloIsEmpty", Stage::kHandshake, kOther, [](RawLink& link) { link.send_packet({.kind = PacketKind::kHello}); }},
    {"HelloOneByteShort", Stage::kHandshake, kOther,
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kHello}, std::string(63, '\0')); }},
    {"HelloOneByteLong", Stage::kHandshake, kOther,
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kHello}, std::string(65, '\0')); }},
    {"HelloOfFullLength", Stage::kHandshake, kOther,
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kHello}, std::string(16 * 1024, '\0')); }},
    {"HelloBeyondThePacket", Stage::kHandshake, "longer than agreed",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kHello}, std::string(16 * 1024 + 1, '\0')); }},
    {"HelloWithEveryFile", Stage::kHandshake, "too many descriptors",
     [](RawLink& link) { say_hello(link, [](Hello&) {}, files(253)); }},
    {"HelloTwiceOver", Stage::kHandshake, kOther,
     [](RawLink& link) {
       say_hello(link);
       say_hello(link);
     }},
    {"ReadyFirst", Stage::kHandshake, kOther, [](RawLink& link) { say_ready(link, {}); }},
    {"FilesFirst", Stage::kHandshake, kOther,
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kFds}, "", files(1)); }},
    {"FragmentFirst", Stage::kHandshake, kOther,
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kMore}, "x"); }},
    {"EndFirst", Stage::kHandshake, kOther, [](RawLink& link) { link.send_packet({.kind = PacketKind::kFin}); }},
    {"WakeFirst", Stage::kHandshake, "packet.kind",
     [](RawLink& link) { link.send_packet({.kind = PacketKind::kWake}); }},
    {"NothingFirst", Stage::kHandshake, "packet is empty",
     [](RawLink& link) {
       link.send_bytes("");
       say_hello(link);
     }},
    {"MessageInsteadOfReady", Stage::kHandshake, kOther,
     [](RawLink& link) {
       say_hello(link);
       link.send_packet({.kind = PacketKind::kMessage});
     }},

    // The ready.
    {"ReadyIsEmpty", Stage::kHandshake, kOther,
     [](RawLink& link) {
       say_hello(link);
       link.send_packet({.kind = PacketKind::kReady});
     }},
    {"ReadyOneByteLong", Stage::kHandshake, kOther,
     [](RawLink& link) {
       say_hello(link);
       link.send_packet({.kind = PacketKind::kReady}, std::string(9, '\0'));
     }},
    {"ReadyForWhatWasNotOffered", Stage::kHandshake, "ready.shared_memory",
     [](RawLink& link) {
       say_hello(link);
       say_ready(link, {.shared_memory = 1, .reserved = 0});
     }},
    {"ReadyForTheLast", Stage::kHandshake, "ready.shared_memory",
     [](RawLink& link) {
       say_hello(link);
       say_ready(link, {.shared_memory = UINT32_MAX, .reserved = 0});
     }},
    {"ReadyWithReservedWord", Stage::kHandshake, "ready.reserved",
     [](RawLink& link) {
       say_hello(link);
       say_ready(link, {.shared_memory = 0, .reserved = 1});
     }},
    {"ReadyWithFiles", Stage::kHandshake, "descriptors came along",
     [](RawLink& link) {
       say_hello(link);
       say_ready(link, {}, files(2));
     }},
};

}  // namespace

std::span<const Lie> handshake_lies() { return kLies; }

}  // namespace wharf::test
