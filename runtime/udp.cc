#include "wharf/runtime/udp.h"

#include <cerrno>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/socket_address.h"

namespace wharf::runtime {
namespace {

StatusOr<UdpSocket> open(const Address& address) {
  if (!address.is_ip()) {
    return make_status(StatusCode::kInvalidArgument, "udp: " + address.text() + " is no IP address");
  }
  StatusOr<UniqueFd> socket = detail::open_socket(address, SOCK_DGRAM);
  if (!socket.ok()) return socket.status();
  return UdpSocket(*std::move(socket));
}

int set(const UdpSocket& socket, int name) noexcept {
  const int on = 1;
  return sys::setsockopt(socket.fd(), SOL_SOCKET, name, &on, sizeof(on));
}

}  // namespace

StatusOr<UdpSocket> UdpSocket::bind(const Address& address, UdpOptions options) {
  StatusOr<UdpSocket> socket = open(address);
  if (!socket.ok()) return socket.status();
  int result = options.reuse_port ? set(*socket, SO_REUSEPORT) : 0;
  if (result == 0 && options.broadcast) result = set(*socket, SO_BROADCAST);
  if (result < 0) return errno_status(-result, "udp: setsockopt");
  const Status bound = detail::bind_socket(socket->fd(), address);
  if (!bound.ok()) return bound;
  return socket;
}

StatusOr<UdpSocket> UdpSocket::connect(const Address& peer) {
  StatusOr<UdpSocket> socket = open(peer);
  if (!socket.ok()) return socket.status();
  const int connected = sys::connect(socket->fd(), peer.get(), peer.bytes());
  if (connected < 0) return errno_status(-connected, "udp: connect to " + peer.text());
  return socket;
}

StatusOr<Address> UdpSocket::local_address() const { return detail::local_address(fd()); }

}  // namespace wharf::runtime
