#include "wharf/runtime/detail/receive_all.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

namespace wharf::runtime::detail {
namespace {

constexpr std::size_t kBytesMax = 0x7fff'f000;  // of one operation, whatever is asked for
constexpr std::size_t kPartCountMax = 16;       // of one call here; another takes the others

msghdr* header_of(const Operation& operation) noexcept {
  return operation.opcode == Opcode::kRecvmsg ? static_cast<msghdr*>(operation.memory) : nullptr;
}

// The memory that is still to be filled.
class Rest {
 public:
  Rest(const Operation& operation, std::size_t moved_bytes) noexcept
      : whole_{.iov_base = operation.memory, .iov_len = operation.memory_bytes}, bytes_max_(kBytesMax - moved_bytes) {
    const msghdr* const header = header_of(operation);
    const iovec* const parts = header != nullptr ? header->msg_iov : &whole_;
    const std::size_t part_count = header != nullptr ? header->msg_iovlen : 1;
    for (std::size_t i = 0; i < part_count; ++i) add(parts[i], moved_bytes);
  }
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;

  std::size_t bytes() const noexcept { return bytes_; }
  void give_to(msghdr& message) noexcept {
    message.msg_iov = parts_.data();
    message.msg_iovlen = count_;
  }

 private:
  void add(const iovec& part, std::size_t& skipped_bytes) noexcept {
    const std::size_t skip = std::min(part.iov_len, skipped_bytes);
    skipped_bytes -= skip;
    const std::size_t bytes = std::min(part.iov_len - skip, bytes_max_ - bytes_);
    bytes_ += bytes;
    if (bytes == 0 || count_ == kPartCountMax) return;
    parts_[count_++] = {static_cast<std::byte*>(part.iov_base) + skip, bytes};
  }

  const iovec whole_;
  const std::size_t bytes_max_;
  std::array<iovec, kPartCountMax> parts_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

bool is_stream(int file) noexcept {
  int type = 0;
  socklen_t bytes = sizeof(type);
  return ::getsockopt(file, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

// What one call brought besides bytes.
void tell(msghdr* header, const msghdr& received) noexcept {
  if (header == nullptr) return;
  header->msg_namelen = received.msg_namelen;
  header->msg_controllen = received.msg_controllen;
  header->msg_flags = received.msg_flags;
}

std::int32_t receive(const Operation& operation, int file, std::uint32_t& moved_bytes) noexcept {
  msghdr* const header = header_of(operation);
  if (header != nullptr && header->msg_iovlen > IOV_MAX) return -EMSGSIZE;
  for (;;) {
    Rest rest(operation, moved_bytes);
    msghdr message = header != nullptr ? *header : msghdr{};
    rest.give_to(message);
    const ssize_t result = ::recvmsg(file, &message, static_cast<int>(operation.flags) | MSG_DONTWAIT);
    if (result < 0 && errno == EAGAIN) return -EAGAIN;
    if (result < 0) return moved_bytes != 0 ? receive_no_more(operation, moved_bytes) : -errno;
    moved_bytes += static_cast<std::uint32_t>(result);
    const auto got = static_cast<std::size_t>(result);
    if (got == 0 || got == rest.bytes()) {
      tell(header, message);
      return static_cast<std::int32_t>(moved_bytes);
    }
  }
}

}  // namespace

bool receives_all(const Operation& operation, int file) noexcept {
  if (operation.opcode != Opcode::kRecv && operation.opcode != Opcode::kRecvmsg) return false;
  constexpr std::uint32_t kOtherThanBytes = MSG_PEEK | MSG_OOB | MSG_ERRQUEUE;
  if ((operation.flags & MSG_WAITALL) == 0 || (operation.flags & kOtherThanBytes) != 0) return false;
  const msghdr* const header = header_of(operation);
  if (header != nullptr && header->msg_controllen != 0) return false;
  const int saved = errno;
  const bool stream = is_stream(file);
  errno = saved;
  return stream;
}

std::int32_t receive_more(const Operation& operation, int file, std::uint32_t& moved_bytes) noexcept {
  const int saved = errno;
  const std::int32_t result = receive(operation, file, moved_bytes);
  errno = saved;
  return result;
}

std::int32_t receive_no_more(const Operation& operation, std::uint32_t moved_bytes) noexcept {
  tell(header_of(operation), msghdr{});
  return static_cast<std::int32_t>(moved_bytes);
}

}  // namespace wharf::runtime::detail
