#include "wharf/runtime/recv_stream.h"

#include <sys/socket.h>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {
namespace {

constexpr detail::BufferStream::Kind kKind{
    .operation = "recv", .wait = "RecvStream::next", .opcode = Opcode::kRecv, .head_bytes = 0};

int socket_option(int socket, int name) noexcept {
  int value = 0;
  socklen_t bytes = sizeof(value);
  return sys::getsockopt(socket, SOL_SOCKET, name, &value, &bytes) == 0 ? value : 0;
}

}  // namespace

RecvStream::RecvStream(int socket, BufferGroup& group, RecvStreamOptions options)
    : BufferStream(kKind, group, options.queued_max), datagrams_(socket_option(socket, SO_TYPE) == SOCK_DGRAM) {
  // Unix sockets: a multishot receive may lose the end of the stream there (liburing issue 1549).
  open(socket, socket_option(socket, SO_DOMAIN) != AF_UNIX);
}

void RecvStream::on_end(std::int32_t result) noexcept {
  const bool empty_datagram = result == 0 && datagrams_;
  if (!empty_datagram) end(-result);
}

}  // namespace wharf::runtime
