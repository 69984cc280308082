// Packets from a hostile peer, with descriptors, into a PacketSocket, alone or under a SocketTransport. What the format
// does not allow is refused and named, and every descriptor that came is closed or handed on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/detail/socket_transport.h"
#include "wharf/tests/fuzz/fd_census.h"
#include "wharf/tests/fuzz/input.h"
#include "wharf/tests/fuzz/raw_packet.h"

namespace wharf::test {
namespace {

using ipc::detail::PacketHeader;
using ipc::detail::PacketKind;
using ipc::detail::PacketSocket;
using ipc::detail::SocketTransport;
using ipc::detail::Transport;

constexpr std::size_t kPacketBytesMax = 2048;
constexpr std::size_t kMessageBytesMax = 16 * 1024;

// Sends one packet: right in every field that the input leaves alone.
void send_one(int socket, std::uint64_t& sequence, const Wares& wares, Input& input) {
  const std::uint8_t change = input.byte();
  const std::vector<int> fds = (change & 1) != 0 ? wares.pick_some(input, 20) : std::vector<int>();
  if ((change & 0x3e) == 0x3e) {
    send_raw(socket, input.bytes(input.byte()), fds);
    return;
  }
  const std::vector<std::byte> payload((change & 2) != 0 ? input.below(kPacketBytesMax + 100) : input.byte());
  PacketHeader header{};
  header.kind = static_cast<PacketKind>(1 + input.byte() % 8);
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  header.fragment_bytes = static_cast<std::uint32_t>(payload.size());
  header.message_bytes = (change & 4) != 0 ? input.below(2 * kMessageBytesMax) : payload.size();
  header.sequence = sequence;
  if ((change & 0x18) == 0x18) {
    const std::size_t at = input.below(sizeof(header));
    input.fill(reinterpret_cast<std::byte*>(&header) + at, std::min<std::size_t>(8, sizeof(header) - at));
  }
  if (send_packet(socket, header, payload, fds)) ++sequence;
}

// Receives what there is; false once the socket is done for.
bool receive_packets(PacketSocket& socket, Input& input) {
  while (true) {
    switch (socket.receive()) {
      case PacketSocket::Got::kEmpty: return true;
      case PacketSocket::Got::kEnd: return false;
      case PacketSocket::Got::kFailed: WHARF_CHECK(!socket.status().ok(), "a failure says why"); return false;
      case PacketSocket::Got::kPacket: break;
    }
    WHARF_CHECK_LE(socket.payload().size(), kPacketBytesMax);
    WHARF_CHECK_EQ(socket.payload().size(), socket.header().fragment_bytes);
    if (input.coin()) {
      const ipc::detail::Fds fds = socket.take_fds();
      WHARF_CHECK_EQ(fds.size(), socket.header().fd_count);
    }
  }
}

bool receive_messages(SocketTransport& transport) {
  while (true) {
    ipc::Message message;
    switch (transport.try_receive(message)) {
      case Transport::Got::kEmpty: return true;
      case Transport::Got::kBusy: break;
      case Transport::Got::kFin:
      case Transport::Got::kEnd: return false;
      case Transport::Got::kBroken: WHARF_CHECK(!transport.status().ok(), "a violation is named"); return false;
      default:
        WHARF_CHECK_LE(message.size_bytes(), kMessageBytesMax);
        WHARF_CHECK_LE(message.fd_count(), shm::kFdCountMax);
    }
  }
}

}  // namespace
}  // namespace wharf::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  static const test::Wares wares;
  const test::FdCensus census;
  test::Input input(data, size);
  auto [peer, own] = test::packet_sockets();
  ipc::detail::PacketSocket socket(std::move(own), test::kPacketBytesMax);
  ipc::PortCounters counters;
  ipc::detail::SocketTransport transport(
      socket, {test::kPacketBytesMax, test::kMessageBytesMax, 4 * test::kPacketBytesMax}, counters);
  const bool whole_messages = input.coin();
  std::uint64_t sequence = 0;
  bool open = true;
  while (open && !input.empty()) {
    test::send_one(peer.get(), sequence, wares, input);
    if (input.byte() == 255) peer.reset();
    open = whole_messages ? test::receive_messages(transport) : test::receive_packets(socket, input);
    if (!peer) break;
  }
  return 0;
}
