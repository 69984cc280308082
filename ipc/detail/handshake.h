// The handshake: both sides say who they are and what they offer, at the same time, and learn what they have in common.
//
// Two packets from each side: Hello, with a control segment and a doorbell if shared memory is offered; then Ready, once
// the peer's are mapped. Shared memory is used if both are ready for it; otherwise the socket is used alone.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>

#include "wharf/coro/task.h"
#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/options.h"
#include "wharf/ipc/port_end.h"
#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/lane.h"

namespace wharf::ipc::detail {

// What both sides agreed on.
struct Handshaken {
  PacketSocket socket;
  shm::Ref<shm::Lane> lane;  // null: the socket alone
  runtime::PrivateFd own_doorbell;
  runtime::PrivateFd peer_doorbell;  // none: the peer is rung by packets
  std::size_t packet_bytes_max = 0;
  std::size_t message_bytes_max = 0;  // that either side may send
  std::size_t inline_bytes_max = 0;   // that we may send in a record
  std::uint32_t stream_window = 0;    // parts that we may send on a stream before the peer gives credit
};

// Errors: InvalidArgument      `end` is no Unix SEQPACKET socket, or an option is out of range
//         FailedPrecondition   the peer is another version of wharf, or no wharf program
//         DeadlineExceeded     no answer within options.handshake_timeout_ms
//         Unavailable          the peer closed the socket
//         Cancelled            the task was stopped
coro::Task<StatusOr<Handshaken>> shake_hands(PortEnd end, PortOptions options, shm::Lane::Owner* owner);

}  // namespace wharf::ipc::detail
