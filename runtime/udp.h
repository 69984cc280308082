// UdpSocket: datagrams, to and from anywhere, or with one peer.
//
//     StatusOr<UdpSocket> socket = UdpSocket::bind(*Address::parse("0.0.0.0:5353"));
//     StatusOr<Datagram> asked = co_await socket->recv_from(buffer);
//     StatusOr<std::size_t> sent = co_await socket->send_to(answer, asked->source);
//
// A server that receives much, or has many sockets that mostly wait: DatagramStream (datagram_stream.h).
//
// Operations are those of io.h, with the same errors, cancellation and costs. A datagram that could not be delivered earlier
// may be reported by a later operation, as Unavailable (ECONNREFUSED); the socket stays usable.
//
// Threads: the reactor's; bind() any.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "wharf/runtime/address.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/detail/datagram_awaiter.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

// One datagram, or of a stream the bytes that have come; of any socket. The memory and the fd are borrowed until the co_await
// is over.
inline auto recvfrom(int socket, std::span<std::byte> buffer, IoOptions options = {}) noexcept {
  return detail::RecvfromAwaiter(socket, buffer, options);
}
inline auto sendto(int socket, std::span<const std::byte> bytes, const Address& target,
                   IoOptions options = {}) noexcept {
  return detail::SendtoAwaiter(socket, bytes, target, options);
}

struct UdpOptions {
  bool reuse_port = false;  // SO_REUSEPORT: others may bind the same port, and share
  bool broadcast = false;   // SO_BROADCAST
};

class UdpSocket {
 public:
  UdpSocket() noexcept = default;
  explicit UdpSocket(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

  // Port 0 takes a free one.
  //
  // Errors: FailedPrecondition  the address is in use, or is not this machine's
  //         InvalidArgument     no IP address
  //         PermissionDenied, ResourceExhausted, ...  errno_status(), with the address
  static StatusOr<UdpSocket> bind(const Address& address, UdpOptions options = {});
  // Speaks with `peer` alone, from a free port: send() and recv(), or a RecvStream. Does not wait.
  //
  // Errors: like bind()
  static StatusOr<UdpSocket> connect(const Address& peer);

  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  // Borrowed.
  int fd() const noexcept { return socket_.get(); }

  // The next datagram. One that is longer than the buffer is cut, and says so.
  auto recv_from(std::span<std::byte> buffer, IoOptions options = {}) noexcept {
    return recvfrom(fd(), buffer, options);
  }
  // All of it or nothing. Too long for a datagram: InvalidArgument (EMSGSIZE).
  auto send_to(std::span<const std::byte> bytes, const Address& target, IoOptions options = {}) noexcept {
    return sendto(fd(), bytes, target, options);
  }
  auto recv(std::span<std::byte> buffer, IoOptions options = {}) noexcept {
    return runtime::recv(fd(), buffer, options);
  }
  auto send(std::span<const std::byte> bytes, IoOptions options = {}) noexcept {
    return runtime::send(fd(), bytes, options);
  }

  StatusOr<Address> local_address() const;
  auto close() noexcept { return runtime::close(std::move(socket_)); }

 private:
  UniqueFd socket_;
};

}  // namespace wharf::runtime
