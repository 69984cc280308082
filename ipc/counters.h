// What a port has done since it opened. Plain numbers of the port's reactor; read them from there.
#pragma once

#include <cstdint>

namespace wharf::ipc {

struct PortCounters {
  // Messages, requests and replies alike; the payload bytes in them.
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  // Requests of ours that were taken back before the peer looked at them; of the peer's, that came too late.
  std::uint64_t requests_retracted = 0;
  std::uint64_t requests_expired = 0;
  // Of the messages sent: by which way.
  std::uint64_t sent_shared_memory = 0;
  std::uint64_t sent_socket = 0;
  // Payload by the route that it took (ipc/detail/route.h). Parts that were copied into a record; blocks lent to the
  // peer, and of these the ones that plain payload was copied into; blocks sent back to the peer; files, and of these the
  // ones that plain payload was copied into; fragments on the socket.
  std::uint64_t parts_inline = 0;
  std::uint64_t blocks_lent = 0;
  std::uint64_t blocks_copied = 0;
  std::uint64_t blocks_returned_as_payload = 0;
  std::uint64_t files_sent = 0;
  std::uint64_t files_copied = 0;
  std::uint64_t fragments_sent = 0;
  // Payload bytes that were copied on their way out: into the ring, the arena, or a file.
  std::uint64_t bytes_copied_inline = 0;
  std::uint64_t bytes_copied_to_arena = 0;
  std::uint64_t bytes_copied_to_files = 0;
  // Shares of large messages that were copied or sent: at most turn_bytes_max bytes each, one in a turn for each message.
  std::uint64_t quanta = 0;
  // System calls made for this port: doorbells rung (also by packet), packets sent, receives tried.
  std::uint64_t doorbells_rung = 0;
  std::uint64_t socket_sends = 0;
  std::uint64_t socket_receives = 0;
  // Times that it was left to its doorbell; wakes by the peer's ring.
  std::uint64_t sleeps = 0;
  std::uint64_t wakes = 0;
  // Times that a send, or a loan, had to wait.
  std::uint64_t waits = 0;

  // Messages that other threads handed to the port's handles: sent; and accepted, but never to be sent.
  std::uint64_t handle_sends = 0;
  std::uint64_t handle_losses = 0;

  // Now: blocks that the peer holds of ours; bytes of our arena in use, and in segments; bytes in segments of the peer's
  // arena that are mapped here.
  std::uint64_t blocks_lent_now = 0;
  std::uint64_t arena_used_bytes = 0;
  std::uint64_t arena_segment_bytes = 0;
  std::uint64_t peer_segment_bytes = 0;

  std::uint64_t system_calls() const noexcept { return doorbells_rung + socket_sends + socket_receives; }
};

}  // namespace wharf::ipc
