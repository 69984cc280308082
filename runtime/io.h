// Input and output, awaited: each function returns an awaiter for `co_await`, in any task that runs on
// a Reactor. None of them makes a frame or allocates.
//
//     StatusOr<std::size_t> count = co_await recv(socket, buffer);
//     if (!count.ok()) co_return count.status();
//     if (*count == 0) co_return ...;                                       // end of file
//     StatusOr<UniqueFd> peer = co_await accept(listener, {.deadline_ns = soon});
//
// Units:     deadline_ns: on the reactor's clock (deadline_after(Reactor::current().now_ns(), ...)).
// Ownership: the fd and the memory are borrowed until the co_await is over: the kernel uses both.
//            Sockets and pipes are in blocking mode, which blocks nobody here; in non-blocking
//            mode older kernels give Unavailable (EAGAIN) instead of waiting.
// Errors:    Cancelled         the task was stopped
//            DeadlineExceeded  the deadline has passed
//            any other         errno_status() of the call, with its name
// Cancel:    honoured: the kernel is told, and the co_await is over when it has let go. An operation
//            that had succeeded by then has succeeded; one that was stopped has done nothing.
//            Deadlines likewise. Destroying an awaiter with its operation in flight aborts.
// Threads:   the reactor's.
// Cost:      a share of the turn's one system call.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "wharf/runtime/detail/io_awaiter.h"

namespace wharf::runtime {

// At least one byte, or 0 at the end of the stream.
inline auto recv(int socket, std::span<std::byte> buffer, IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("recv", Opcode::kRecv, socket, buffer.data(), buffer.size(), 0, 0, options);
}

// What the socket took, which may be less than all; see send_all in transfer.h. No SIGPIPE: a peer
// that has gone is Unavailable.
inline auto send(int socket, std::span<const std::byte> bytes, IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("send", Opcode::kSend, socket, bytes.data(), bytes.size(), MSG_NOSIGNAL, 0, options);
}

// `message` and what it points to are borrowed, and written to: msg_flags, msg_namelen and
// msg_controllen. Fds that arrive are close-on-exec, and the caller's to close.
//
// With MSG_WAITALL, from a stream and without room for control data: when all the memory is full; before that at the end of the
// stream, or on an error, a stop or a deadline: what had come by then is a short count; where nothing had, the status says so.
inline auto recvmsg(int socket, msghdr& message, std::uint32_t flags = 0, IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("recvmsg", Opcode::kRecvmsg, socket, &message, sizeof(message), flags | MSG_CMSG_CLOEXEC,
                              0, options);
}
inline auto sendmsg(int socket, const msghdr& message, std::uint32_t flags = 0, IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("sendmsg", Opcode::kSendmsg, socket, &message, sizeof(message), flags | MSG_NOSIGNAL, 0,
                              options);
}

// At the file's own position, or at an offset in bytes. 0: the end of the file. Writing to a pipe or
// socket whose other end has gone raises SIGPIPE, as write(2) does; send() does not.
inline auto read(int file, std::span<std::byte> buffer, std::uint64_t offset = kCurrentPosition,
                 IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("read", Opcode::kRead, file, buffer.data(), buffer.size(), 0, offset, options);
}
inline auto write(int file, std::span<const std::byte> bytes, std::uint64_t offset = kCurrentPosition,
                  IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("write", Opcode::kWrite, file, bytes.data(), bytes.size(), 0, offset, options);
}

// The same for several buffers, in their order. The parts are borrowed like the memory that they name; of more than 1024 the
// first 1024 are taken, and the count is short.
inline auto readv(int file, std::span<const iovec> parts, std::uint64_t offset = kCurrentPosition,
                  IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("readv", Opcode::kReadv, file, parts.data(), std::min<std::size_t>(parts.size(), IOV_MAX),
                              0, offset, options);
}
inline auto writev(int file, std::span<const iovec> parts, std::uint64_t offset = kCurrentPosition,
                   IoOptions options = {}) noexcept {
  return detail::BytesAwaiter("writev", Opcode::kWritev, file, parts.data(),
                              std::min<std::size_t>(parts.size(), IOV_MAX), 0, offset, options);
}

// Until what was written is on the disk; kDataOnly: without what reading it back does not need, such as its time.
enum class SyncKind : std::uint8_t { kEverything, kDataOnly };
inline auto fsync(int file, SyncKind kind = SyncKind::kEverything, IoOptions options = {}) noexcept {
  return detail::StatusAwaiter("fsync", Opcode::kFsync, file, kind == SyncKind::kDataOnly ? kFsyncDataOnly : 0,
                               options);
}

// Moves up to `bytes` between a pipe and anything else, in the kernel: one of the two is a pipe, and its offset is
// kCurrentPosition. 0: the end of the source. Moving to a pipe or socket whose other end has gone raises SIGPIPE.
inline auto splice(int source, std::uint64_t source_offset, int target, std::uint64_t target_offset, std::size_t bytes,
                   IoOptions options = {}) noexcept {
  return detail::SpliceAwaiter(source, source_offset, SpliceRequest{target, target_offset, bytes}, options);
}

// One connection, close-on-exec. For a server see TcpListener.
inline auto accept(int listener, IoOptions options = {}) noexcept {
  return detail::AcceptAwaiter(listener, SOCK_CLOEXEC, options);
}

// After a stop or a deadline the socket is in an unknown state: close it.
inline auto connect(int socket, const sockaddr* address, socklen_t address_bytes, IoOptions options = {}) noexcept {
  return detail::ConnectAwaiter(socket, address, address_bytes, options);
}

// The events that have come, of `events` (POLLIN, POLLOUT, ...), POLLERR and POLLHUP.
inline auto poll(int file, std::uint32_t events, IoOptions options = {}) noexcept {
  return detail::PollAwaiter(file, events, options);
}

// Closes off the reactor's thread where that may block. The fd is gone whatever the result, and
// whether or not the task has been stopped.
inline auto close(UniqueFd file) noexcept { return detail::CloseAwaiter(std::move(file)); }

}  // namespace wharf::runtime
