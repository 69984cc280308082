#include "wharf/runtime/detail/uring_describe.h"

#include <sys/socket.h>

namespace wharf::runtime::detail {
namespace {

// Newer than liburing 2.3. Source: include/uapi/linux/io_uring.h and futex.h, Linux 6.7.
constexpr int kUringFutexWait = 51;
constexpr std::uint32_t kFutex2Size32 = 2;
constexpr std::uint64_t kFutexEveryWaker = 0xffff'ffff;  // FUTEX_BITSET_MATCH_ANY

void describe_futex_wait(const Operation& operation, io_uring_sqe& sqe) noexcept {
  io_uring_prep_rw(kUringFutexWait, &sqe, static_cast<int>(kFutex2Size32 | operation.flags), operation.memory, 0,
                   operation.offset);
  sqe.addr3 = kFutexEveryWaker;
}

void describe_splice(const Operation& operation, io_uring_sqe& sqe) noexcept {
  const auto& request = *static_cast<const SpliceRequest*>(operation.memory);
  io_uring_prep_splice(&sqe, operation.fd, static_cast<std::int64_t>(operation.offset), request.target,
                       static_cast<std::int64_t>(request.target_offset), static_cast<unsigned>(request.bytes),
                       operation.flags);
}

void describe_statx(const Operation& operation, io_uring_sqe& sqe) noexcept {
  const auto& request = *static_cast<const StatxRequest*>(operation.memory);
  io_uring_prep_statx(&sqe, request.directory, request.path, static_cast<int>(operation.flags), request.mask,
                      request.result);
}

void describe_rename(const Operation& operation, io_uring_sqe& sqe) noexcept {
  const auto& request = *static_cast<const RenameRequest*>(operation.memory);
  io_uring_prep_renameat(&sqe, request.source_directory, request.source, request.target_directory, request.target,
                         operation.flags);
}

void describe_selecting_recv(const Operation& operation, io_uring_sqe& sqe) noexcept {
  const auto flags = static_cast<int>(operation.flags);
  if (operation.multishot) {
    io_uring_prep_recv_multishot(&sqe, operation.fd, nullptr, 0, flags);
  } else {
    io_uring_prep_recv(&sqe, operation.fd, nullptr, 0, flags);
  }
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = static_cast<std::uint16_t>(operation.buffer_group);
}

// Multishot always: otherwise the kernel would write the source into the msghdr, where the next one's goes too.
void describe_selecting_recvmsg(const Operation& operation, io_uring_sqe& sqe) noexcept {
  io_uring_prep_recvmsg_multishot(&sqe, operation.fd, static_cast<msghdr*>(operation.memory), operation.flags);
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = static_cast<std::uint16_t>(operation.buffer_group);
}

}  // namespace

void uring_describe(const Operation& operation, io_uring_sqe& sqe) noexcept {
  const int fd = operation.fd;
  const auto flags = static_cast<int>(operation.flags);
  const std::uint32_t bytes = operation.memory_bytes;
  void* const memory = operation.memory;
  const auto* const path = static_cast<const char*>(memory);
  const auto* const parts = static_cast<const iovec*>(memory);
  switch (operation.opcode) {
    case Opcode::kNop: return io_uring_prep_nop(&sqe);
    case Opcode::kAccept:
      if (operation.multishot) {
        return io_uring_prep_multishot_accept(&sqe, fd, nullptr, nullptr, flags);
      }
      return io_uring_prep_accept(&sqe, fd, nullptr, nullptr, flags);
    case Opcode::kClose: return io_uring_prep_close(&sqe, fd);
    case Opcode::kConnect: return io_uring_prep_connect(&sqe, fd, static_cast<const sockaddr*>(memory), bytes);
    case Opcode::kFsync:
      return io_uring_prep_fsync(&sqe, fd, operation.flags == kFsyncDataOnly ? IORING_FSYNC_DATASYNC : 0U);
    case Opcode::kFutexWait: return describe_futex_wait(operation, sqe);
    case Opcode::kMkdirat: return io_uring_prep_mkdirat(&sqe, fd, path, bytes);
    case Opcode::kOpenat: return io_uring_prep_openat(&sqe, fd, path, flags, bytes);
    case Opcode::kPoll:
      if (operation.multishot) return io_uring_prep_poll_multishot(&sqe, fd, operation.flags);
      return io_uring_prep_poll_add(&sqe, fd, operation.flags);
    case Opcode::kRead: return io_uring_prep_read(&sqe, fd, memory, bytes, operation.offset);
    case Opcode::kReadv: return io_uring_prep_readv(&sqe, fd, parts, bytes, operation.offset);
    case Opcode::kRecv:
      if (operation.buffer_group >= 0) return describe_selecting_recv(operation, sqe);
      return io_uring_prep_recv(&sqe, fd, memory, bytes, flags);
    case Opcode::kRecvmsg:
      if (operation.buffer_group >= 0) return describe_selecting_recvmsg(operation, sqe);
      return io_uring_prep_recvmsg(&sqe, fd, static_cast<msghdr*>(memory), operation.flags);
    case Opcode::kRenameat: return describe_rename(operation, sqe);
    case Opcode::kSend: return io_uring_prep_send(&sqe, fd, memory, bytes, flags);
    case Opcode::kSendmsg: return io_uring_prep_sendmsg(&sqe, fd, static_cast<const msghdr*>(memory), operation.flags);
    case Opcode::kSplice: return describe_splice(operation, sqe);
    case Opcode::kStatx: return describe_statx(operation, sqe);
    case Opcode::kUnlinkat: return io_uring_prep_unlinkat(&sqe, fd, path, flags);
    case Opcode::kWrite: return io_uring_prep_write(&sqe, fd, memory, bytes, operation.offset);
    case Opcode::kWritev: return io_uring_prep_writev(&sqe, fd, parts, bytes, operation.offset);
  }
}

}  // namespace wharf::runtime::detail
