// StreamSocket: what a connected TCP socket and a connected Unix socket have in common. It owns the socket; see TcpStream and
// UnixStream for how one comes about. Operations are those of io.h, with the same errors, cancellation and costs.
//
// One task may receive while another one sends; never two that send, whose bytes would mix.
//
// Threads: the reactor's.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "wharf/runtime/address.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/transfer.h"

namespace wharf::runtime {

class StreamSocket {
 public:
  // None: operations fail with EBADF.
  StreamSocket() noexcept = default;
  // A connected socket, in blocking mode, such as TcpListener::accept gives.
  explicit StreamSocket(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  // Borrowed.
  int fd() const noexcept { return socket_.get(); }
  UniqueFd release() noexcept { return std::move(socket_); }

  // At least one byte, or 0: the peer sends no more.
  auto recv(std::span<std::byte> buffer, IoOptions options = {}) noexcept {
    return runtime::recv(fd(), buffer, options);
  }
  // What the socket took, which may be less than all.
  auto send(std::span<const std::byte> bytes, IoOptions options = {}) noexcept {
    return runtime::send(fd(), bytes, options);
  }
  coro::Task<Status> send_all(std::span<const std::byte> bytes, IoOptions options = {}) {
    return runtime::send_all(fd(), bytes, options);
  }
  // A part of a file, without a copy; see transfer.h.
  coro::Task<StatusOr<std::uint64_t>> send_file(int file, std::uint64_t offset, std::uint64_t count_bytes,
                                                IoOptions options = {}) {
    return runtime::send_file(fd(), file, offset, count_bytes, options);
  }
  // For Reader and Writer.
  auto read_some(std::span<std::byte> buffer, IoOptions options = {}) noexcept { return recv(buffer, options); }
  auto write_some(std::span<const std::byte> bytes, IoOptions options = {}) noexcept { return send(bytes, options); }

  // The peer gets the end of the stream after what was sent; receiving goes on.
  Status shutdown_sending() noexcept { return shut(SHUT_WR); }
  // Both ways: tasks that wait in recv or send go on.
  Status shutdown() noexcept { return shut(SHUT_RDWR); }
  // No operation is in flight. Without it the destructor closes, on this thread.
  auto close() noexcept { return runtime::close(std::move(socket_)); }

  StatusOr<Address> local_address() const;
  StatusOr<Address> peer_address() const;

 protected:
  // An option of the socket, as setsockopt(2) takes it.
  Status set_option(int level, int name, int value, const char* operation) noexcept;

 private:
  Status shut(int how) noexcept;

  UniqueFd socket_;
};

}  // namespace wharf::runtime
