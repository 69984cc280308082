// What travels on the socket of a link, byte for byte: docs/formats.md, "Socket packets".
//
// Every packet is a PacketHeader and `fragment_bytes` of payload. With shared memory the socket carries the handshake
// and the fds of records; without it, everything.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wharf::ipc::detail {

inline constexpr std::uint32_t kLinkVersion = 2;
inline constexpr std::uint64_t kHelloMagic = 0x314b'4c46'5248'5721;  // "!WHRFLK1"

enum class PacketKind : std::uint8_t {
  kHello = 1,    // first, from both sides; payload Hello; fds: control segment and doorbell, or none
  kReady = 2,    // second, from both sides; payload Ready
  kFds = 3,      // the fds of the next record in the ring that has some
  kMessage = 4,  // a message, or the first fragment of one
  kMore = 5,     // the next fragment of the message `assembly`
  kFin = 6,      // the sender will send no more
  kCredit = 7,   // `type` more parts may be sent on `stream`
  kCancel = 8,   // nobody waits for the reply to `stream` any more
  kWake = 9,     // rings the receiver, in the place of its doorbell
};

struct PacketHeader {
  PacketKind kind;
  std::uint8_t flags;  // shm::RecordFlag
  std::uint8_t fd_count;
  std::uint8_t reserved0;
  std::uint32_t fragment_bytes;
  std::uint32_t type;
  std::uint32_t assembly;  // of a message in several fragments: which; no two are unfinished at once with the same
  std::uint64_t stream;
  std::int64_t deadline_ns;
  std::uint64_t message_bytes;  // of the whole message; kMore: the same again
  std::uint64_t sequence;       // packets that the sender sent before on this socket
};
static_assert(sizeof(PacketHeader) == 48);

// Messages of one sender that are unfinished at once.
inline constexpr std::size_t kAssemblyCountMax = 16;

struct Hello {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t shared_memory;  // 1: offered, and two fds come along
  std::uint64_t message_bytes_max;
  std::uint32_t packet_bytes_max;
  std::uint32_t inline_bytes_max;  // of a record that the other side may send
  std::uint32_t stream_window;     // parts that the other side may send on a stream before it has credit
  std::uint32_t rings_by_packet;   // 1: the sender rings by packets of kind kWake, and leaves the doorbell alone
  std::uint64_t reserved[3];
};
static_assert(sizeof(Hello) == 64);

struct Ready {
  std::uint32_t shared_memory;  // 1: mapped; used if both say so
  std::uint32_t reserved;
};
static_assert(sizeof(Ready) == 8);

}  // namespace wharf::ipc::detail
