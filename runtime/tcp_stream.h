// TcpStream: a TCP connection.
//
//     StatusOr<TcpStream> server = co_await TcpStream::connect(Address::loopback(8080), {.deadline_ns = soon});
//     if (!server.ok()) co_return server.status();
//     Status sent = co_await server->send_all(request);
//
// A connection that TcpListener::accept gives becomes one with TcpStream(*std::move(connection)).
//
// Threads: the reactor's.
#pragma once

#include <chrono>

#include "wharf/coro/task.h"
#include "wharf/runtime/stream_socket.h"

namespace wharf::runtime {

struct TcpConnectOptions {
  std::int64_t deadline_ns = kNever;  // on the reactor's clock
  bool no_delay = true;               // TCP_NODELAY
};

class TcpStream : public StreamSocket {
 public:
  using StreamSocket::StreamSocket;

  // Errors: Unavailable        nobody listens there, or no way leads there
  //         DeadlineExceeded   the deadline has passed, or the kernel has given up (ETIMEDOUT)
  //         InvalidArgument    no IP address
  //         Cancelled          the task was stopped
  //         any other          errno_status(), with the address
  // Cancel: honoured; nothing is left open.
  static coro::Task<StatusOr<TcpStream>> connect(Address address, TcpConnectOptions options = {});

  // Small pieces go out at once, instead of waiting for the answer to earlier ones.
  Status set_no_delay(bool on) noexcept;
  // Asks an idle peer every `idle` whether it lives; a dead one is an error of recv after `probe_count` questions.
  //
  // Units:  1 to 32767 s; probe_count 1 to 127.
  // Errors: InvalidArgument  outside of that; nothing has changed
  //         any other        errno_status() of setsockopt
  Status set_keepalive(std::chrono::seconds idle, int probe_count = 4) noexcept;
  // A connection whose data nobody acknowledges for so long is broken off. 0: the kernel's own patience.
  //
  // Units:  0 to 2^31-1 ms, which is 24 days.
  // Errors: as of set_keepalive
  Status set_user_timeout(std::chrono::milliseconds limit) noexcept;
};

}  // namespace wharf::runtime
