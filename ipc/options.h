// The limits of one port, each with its unit and its reason.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/ipc/trust.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/lane.h"

namespace wharf::ipc {

// A trivial aggregate, so that `{.deadline_ns = soon}` may stand inside a co_await (GCC PR 99576).
struct WaitOptions {
  std::int64_t deadline_ns = 0;  // on the reactor's clock; 0: none
};

struct PortOptions {
  // A limit that follows from `trust`: see rules_of(). Port::open() puts the number in its place.
  static constexpr std::size_t kByTrust = SIZE_MAX;

  // What the peer may be; docs/trust.md.
  Trust trust = Trust::kTrusted;
  // Sockets of AF_UNIX are welcome from a hostile peer too: for a program that expects links from it.
  bool accept_unix_sockets = false;

  // False: the socket alone carries everything. It is also alone if either side cannot make or map shared memory.
  bool shared_memory = true;
  // Rings, arena and the size up to which payload is copied into the ring; see shm/lane.h.
  shm::LaneOptions lane{.peer_arena_bytes_max = kByTrust};

  // Bytes of payload in one message, sent or received; at most 4 GiB. On the socket route the messages that a peer has
  // begun may together have twice that; their memory is touched as they come, not as they are announced.
  std::size_t message_bytes_max = std::size_t{256} << 20;
  // Bytes of payload in one socket packet; larger messages are cut. The socket's send buffer holds at least one.
  std::size_t packet_bytes_max = 16 * 1024;

  // Bytes of a message's payload that are copied in one turn of the reactor: what is larger takes several turns, and
  // other messages go in between. 4 KiB..16 MiB. A copy of 256 KiB takes about 50 us.
  std::size_t turn_bytes_max = 256 * 1024;
  // The same on the socket route, where the kernel copies too.
  std::size_t socket_turn_bytes_max = 64 * 1024;
  // Milliseconds that a message which has begun to arrive over the socket may make no progress, while we read all that
  // comes; then the link ends. At most a day.
  std::int64_t assembly_timeout_ms = 30'000;
  // Messages handled in one turn before other ports have theirs, and before a task that always finds one gives way.
  std::uint32_t turn_message_count_max = 256;
  // Messages set aside unreceived because a reply may be behind them; beyond it the port stops reading.
  std::size_t parked_count_max = kByTrust;
  // Tasks that may wait in send() and call() at once; beyond it they fail with ResourceExhausted.
  std::size_t waiting_count_max = 65'536;
  // Parts of one streamed request or reply that the peer may send before this side has taken some.
  std::uint32_t stream_window = 16;
  // Requests in parts that the peer may have open at once; further ones are answered with ResourceExhausted.
  std::size_t stream_count_max = 1024;
  // Messages that other threads have handed to the port's handles and that are not sent yet; beyond it they are refused
  // with ResourceExhausted.
  std::size_t handle_queue_count_max = 65'536;
  // Calls that may be unanswered at once.
  std::size_t call_count_max = 65'536;

  // Milliseconds that the peer has for its part of the handshake; at most a day.
  std::int64_t handshake_timeout_ms = 5'000;
};

// Errors: InvalidArgument names the option that is out of range.
Status check_options(const PortOptions& options);

// The same options with a number in the place of every kByTrust.
PortOptions settled(PortOptions options) noexcept;

}  // namespace wharf::ipc
