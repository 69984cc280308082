// Messages over the socket alone: for links without shared memory. A message larger than a packet is cut in fragments;
// the fds ride on the first.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/detail/transport.h"

namespace wharf::ipc::detail {

class SocketTransport final : public Transport {
 public:
  // Units: bytes of payload; of one packet, as agreed; of one message received.
  SocketTransport(PacketSocket& socket, std::size_t packet_bytes_max, std::size_t message_bytes_max,
                  PortCounters& counters) noexcept;

  Sent try_send(Outgoing& outgoing) override;
  Got try_receive(Message& message) override;
  // What the kernel has, the peer gets.
  bool retract(std::uint64_t, std::uint64_t) override { return false; }
  void settle_retraction(std::uint64_t, bool) override {}

 private:
  Got take_first(Message& message);
  Got take_more(Message& message);
  Got take_fin();
  Got take_note(Message& message);
  Got violation(const char* what);
  Got complete(Message& message) noexcept;

  PacketSocket& socket_;
  const std::size_t packet_bytes_max_;
  const std::size_t message_bytes_max_;

  // The message whose fragments are arriving. Its memory grows as they come, not as the first one claims.
  Message partial_;
  std::vector<std::byte> partial_bytes_;
  std::size_t partial_bytes_expected_ = 0;  // 0: none is arriving
};

}  // namespace wharf::ipc::detail
