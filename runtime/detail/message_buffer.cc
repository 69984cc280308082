#include "wharf/runtime/detail/message_buffer.h"

#include <liburing.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime::detail {

std::int32_t receive_message(int socket, const msghdr& room, int flags, std::span<std::byte> buffer) noexcept {
  io_uring_recvmsg_out head{};
  const std::size_t before = sizeof(head) + room.msg_namelen + room.msg_controllen;
  if (buffer.size() < before) return -EFAULT;
  std::byte* const name = buffer.data() + sizeof(head);
  iovec part{buffer.data() + before, buffer.size() - before};
  msghdr message{};
  message.msg_name = name;
  message.msg_namelen = room.msg_namelen;
  message.msg_control = name + room.msg_namelen;
  message.msg_controllen = room.msg_controllen;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const ssize_t received = sys::recvmsg(socket, &message, flags | MSG_DONTWAIT);
  if (received < 0) return static_cast<std::int32_t>(received);
  head.namelen = message.msg_namelen;
  head.controllen = static_cast<std::uint32_t>(message.msg_controllen);
  head.payloadlen = static_cast<std::uint32_t>(received);
  head.flags = static_cast<std::uint32_t>(message.msg_flags);
  std::memcpy(buffer.data(), &head, sizeof(head));
  return static_cast<std::int32_t>(before) + static_cast<std::int32_t>(received);
}

}  // namespace wharf::runtime::detail
