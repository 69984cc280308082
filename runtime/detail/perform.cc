#include "wharf/runtime/detail/perform.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace wharf::runtime::detail {
namespace {

std::int32_t result_of(ssize_t result) noexcept { return result < 0 ? -errno : static_cast<std::int32_t>(result); }

std::int32_t poll_now(int file, std::uint32_t events) noexcept {
  pollfd one{.fd = file, .events = static_cast<short>(events), .revents = 0};
  if (file < 0) return -EBADF;  // poll(2) ignores it
  const int count = ::poll(&one, 1, 0);
  if (count < 0) return -errno;
  if (count == 0) return -EAGAIN;
  return (one.revents & POLLNVAL) != 0 ? -EBADF : one.revents;
}

std::int32_t poll_file(int file, std::uint32_t events, bool nonblocking) noexcept {
  if (nonblocking) return poll_now(file, events);
  pollfd one{.fd = file, .events = static_cast<short>(events), .revents = 0};
  const int count = ::poll(&one, 1, -1);
  if (count < 0) return -errno;
  return (one.revents & POLLNVAL) != 0 ? -EBADF : one.revents;
}

// accept4 has no flag that says "do not wait". Between the look and the accept another thread of this process may not
// take the connection; another process may, see backends.md.
std::int32_t accept_from(int file, int flags, bool nonblocking) noexcept {
  if (!nonblocking) return result_of(::accept4(file, nullptr, nullptr, flags));
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const std::int32_t ready = poll_now(file, POLLIN);
  if (ready < 0) return ready;
  return result_of(::accept4(file, nullptr, nullptr, flags));
}

// Nor has connect. Called again on a socket that is being connected it tells how that went.
std::int32_t connect_to(int file, const Operation& operation, bool nonblocking) noexcept {
  const auto* address = static_cast<const sockaddr*>(operation.memory);
  const auto bytes = static_cast<socklen_t>(operation.memory_bytes);
  if (!nonblocking) return result_of(::connect(file, address, bytes));
  const int mode = ::fcntl(file, F_GETFL);
  if (mode < 0) return -errno;
  const bool waits = (mode & O_NONBLOCK) == 0;
  if (waits && ::fcntl(file, F_SETFL, mode | O_NONBLOCK) < 0) return -errno;
  const std::int32_t result = result_of(::connect(file, address, bytes));
  if (waits) ::fcntl(file, F_SETFL, mode);
  return result == -EINPROGRESS || result == -EALREADY ? -EAGAIN : result;
}

bool on_disk(int file) noexcept {
  struct stat status;
  return ::fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

// preadv2 or pwritev2 is not to be had for this kind of file, or with this flag.
bool not_offered(std::int32_t result) noexcept {
  return result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL;
}

bool reads(const Operation& operation) noexcept {
  return operation.opcode == Opcode::kRead || operation.opcode == Opcode::kReadv;
}

std::int32_t transfer(const Operation& operation, int file, off_t position, int flags) noexcept {
  const iovec whole{.iov_base = operation.memory, .iov_len = operation.memory_bytes};
  const bool one = operation.opcode == Opcode::kRead || operation.opcode == Opcode::kWrite;
  const iovec* parts = one ? &whole : static_cast<const iovec*>(operation.memory);
  const int count = one ? 1 : static_cast<int>(operation.memory_bytes);
  return reads(operation) ? result_of(::preadv2(file, parts, count, position, flags))
                          : result_of(::pwritev2(file, parts, count, position, flags));
}

// Of a stream that has announced it: some bytes can be moved, and so few that none is waited for.
std::int32_t transfer_when_ready(const Operation& operation, int file) noexcept {
  const std::int32_t ready = poll_now(file, reads(operation) ? POLLIN : POLLOUT);
  if (ready < 0) return ready;
  if (reads(operation)) return transfer(operation, file, -1, 0);
  iovec part{.iov_base = operation.memory, .iov_len = operation.memory_bytes};
  if (operation.opcode == Opcode::kWritev) {
    if (operation.memory_bytes == 0) return 0;
    const auto* parts = static_cast<const iovec*>(operation.memory);
    const auto* end = parts + operation.memory_bytes;
    while (parts + 1 != end && parts->iov_len == 0) ++parts;
    part = *parts;  // the rest is a short count's
  }
  // A pipe that is writable has room for so much.
  part.iov_len = std::min<std::size_t>(part.iov_len, PIPE_BUF);
  return result_of(::write(file, part.iov_base, part.iov_len));
}

std::int32_t read_or_write(const Operation& operation, int file, bool nonblocking) noexcept {
  const bool here = operation.offset == kCurrentPosition;
  off_t position = here ? -1 : static_cast<off_t>(operation.offset);
  if (nonblocking) {
    // What is short there may be the disk's doing, and not the file's end: a thread does it whole.
    if (on_disk(file)) return -EAGAIN;
    std::int32_t result = transfer(operation, file, position, RWF_NOWAIT);
    if (result == -ESPIPE) result = transfer(operation, file, -1, RWF_NOWAIT);
    return not_offered(result) ? transfer_when_ready(operation, file) : result;
  }
  const std::int32_t result = transfer(operation, file, position, 0);
  // io_uring does not mind an offset into a stream.
  return result == -ESPIPE && !here ? transfer(operation, file, -1, 0) : result;
}

std::int32_t splice_to(const Operation& operation, int source, bool nonblocking) noexcept {
  const auto& request = *static_cast<const SpliceRequest*>(operation.memory);
  if (nonblocking) {
    if (on_disk(source) || on_disk(request.target)) return -EAGAIN;
    const std::int32_t filled = poll_now(source, POLLIN);
    if (filled < 0) return filled;
    const std::int32_t writable = poll_now(request.target, POLLOUT);
    if (writable < 0) return writable;
  }
  auto from = static_cast<loff_t>(operation.offset);
  auto to = static_cast<loff_t>(request.target_offset);
  const unsigned flags = operation.flags | (nonblocking ? SPLICE_F_NONBLOCK : 0U);
  return result_of(::splice(source, operation.offset == kCurrentPosition ? nullptr : &from, request.target,
                            request.target_offset == kCurrentPosition ? nullptr : &to, request.bytes, flags));
}

// Without waiting for the other end of a pipe, as io_uring does.
std::int32_t open_now(const Operation& operation, const char* path) noexcept {
  const auto flags = static_cast<int>(operation.flags);
  const int file = ::openat(operation.fd, path, flags | O_NONBLOCK, operation.memory_bytes);
  if (file >= 0 && (flags & O_NONBLOCK) == 0) {
    const int mode = ::fcntl(file, F_GETFL);
    ::fcntl(file, F_SETFL, mode & ~O_NONBLOCK);
  }
  return result_of(file);
}

// What may wait for a disk, and cannot be asked not to: always for a thread that may block.
std::int32_t on_file_system(const Operation& operation, int file) noexcept {
  const auto flags = static_cast<int>(operation.flags);
  const auto* const path = static_cast<const char*>(operation.memory);
  switch (operation.opcode) {
    case Opcode::kClose: return result_of(::close(file));
    case Opcode::kFsync: return result_of(operation.flags == kFsyncDataOnly ? ::fdatasync(file) : ::fsync(file));
    case Opcode::kMkdirat: return result_of(::mkdirat(operation.fd, path, operation.memory_bytes));
    case Opcode::kOpenat: return open_now(operation, path);
    case Opcode::kRenameat: {
      const auto& request = *static_cast<const RenameRequest*>(operation.memory);
      return result_of(::renameat2(request.source_directory, request.source, request.target_directory, request.target,
                                   operation.flags));
    }
    case Opcode::kStatx: {
      const auto& request = *static_cast<const StatxRequest*>(operation.memory);
      return result_of(::statx(request.directory, request.path, flags, request.mask, request.result));
    }
    case Opcode::kUnlinkat: return result_of(::unlinkat(operation.fd, path, flags));
    default: return -EINVAL;
  }
}

std::int32_t call(const Operation& operation, int file, bool nonblocking) noexcept {
  const auto flags = static_cast<int>(operation.flags);
  const int socket_flags = flags | (nonblocking ? MSG_DONTWAIT : 0);
  void* const memory = operation.memory;
  const std::size_t bytes = operation.memory_bytes;
  switch (operation.opcode) {
    case Opcode::kNop: return 0;
    case Opcode::kAccept: return accept_from(file, flags, nonblocking);
    case Opcode::kClose:
    case Opcode::kFsync:
    case Opcode::kMkdirat:
    case Opcode::kOpenat:
    case Opcode::kRenameat:
    case Opcode::kStatx:
    case Opcode::kUnlinkat: return nonblocking ? -EAGAIN : on_file_system(operation, file);
    case Opcode::kFutexWait: return -EINVAL;  // a thread that waits so could not be called back: FutexWaits
    case Opcode::kSplice: return splice_to(operation, file, nonblocking);
    case Opcode::kConnect: return connect_to(file, operation, nonblocking);
    case Opcode::kPoll: return poll_file(file, operation.flags, nonblocking);
    case Opcode::kRead:
    case Opcode::kReadv:
    case Opcode::kWrite:
    case Opcode::kWritev: return read_or_write(operation, file, nonblocking);
    case Opcode::kRecv: return result_of(::recv(file, memory, bytes, socket_flags));
    case Opcode::kRecvmsg: return result_of(::recvmsg(file, static_cast<msghdr*>(memory), socket_flags));
    case Opcode::kSend: return result_of(::send(file, memory, bytes, socket_flags));
    case Opcode::kSendmsg: return result_of(::sendmsg(file, static_cast<const msghdr*>(memory), socket_flags));
  }
  return -EINVAL;
}

}  // namespace

std::int32_t perform(const Operation& operation, int file, bool nonblocking) noexcept {
  const int saved = errno;
  const std::int32_t result = call(operation, file, nonblocking);
  errno = saved;
  return result;
}

std::uint32_t awaited_events(const Operation& operation) noexcept {
  switch (operation.opcode) {
    case Opcode::kAccept:
    case Opcode::kRead:
    case Opcode::kReadv:
    case Opcode::kRecv:
    case Opcode::kRecvmsg:
    case Opcode::kSplice: return POLLIN;
    case Opcode::kConnect:
    case Opcode::kSend:
    case Opcode::kSendmsg:
    case Opcode::kWrite:
    case Opcode::kWritev: return POLLOUT;
    case Opcode::kPoll: return operation.flags | POLLERR | POLLHUP;
    case Opcode::kClose:
    case Opcode::kFsync:
    case Opcode::kFutexWait:
    case Opcode::kMkdirat:
    case Opcode::kNop:
    case Opcode::kOpenat:
    case Opcode::kRenameat:
    case Opcode::kStatx:
    case Opcode::kUnlinkat: return 0;
  }
  return 0;
}

}  // namespace wharf::runtime::detail
