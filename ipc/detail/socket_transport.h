// Messages over the socket alone: for links without shared memory. A message larger than a packet is cut in fragments,
// between which others may go; the fds ride on the first.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/ipc/detail/assemblies.h"
#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/detail/transport.h"

namespace wharf::ipc::detail {

class SocketTransport final : public Transport {
 public:
  // Units: bytes of payload; of one packet, and of one message, as agreed; of what is sent of one message in a turn.
  struct Limits {
    std::size_t packet_bytes_max;
    std::size_t message_bytes_max;
    std::size_t turn_bytes_max;
  };
  SocketTransport(PacketSocket& socket, const Limits& limits, PortCounters& counters) noexcept;

  bool takes_turns(const Outgoing& outgoing) const noexcept override {
    return outgoing.message.size_bytes() > limits_.turn_bytes_max;
  }
  Sent try_send(Outgoing& outgoing) override;
  Got try_receive(Message& message) override;
  // What the kernel has, the peer gets.
  bool retract(std::uint64_t, std::uint64_t) override { return false; }
  void settle_retraction(std::uint64_t, bool) override {}
  bool has_unfinished() const noexcept override { return !assemblies_.empty(); }
  bool check_progress(bool all_read) noexcept override;

 private:
  // What a message in several fragments needs: its number, and its share of what may be unfinished. False: as much is
  // under way as may be.
  bool reserve(Outgoing& outgoing) noexcept;
  void release(Outgoing& outgoing) noexcept;

  Got take_first(Message& message);
  Got take_more(Message& message);
  Got take_fin();
  Got take_note(Message& message);
  Got violation(const char* what);
  Got complete(Message& message) noexcept;

  PacketSocket& socket_;
  const Limits limits_;
  // Of our own unfinished messages: whose numbers are taken, one bit each; and of the large among them the bytes.
  std::uint32_t assemblies_taken_ = 0;
  std::size_t large_bytes_ = 0;
  Assemblies assemblies_;
};

}  // namespace wharf::ipc::detail
