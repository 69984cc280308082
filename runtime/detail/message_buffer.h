// What a kRecvmsg with a buffer_group makes of a buffer, made by a plain call: for where the kernel takes none by itself. The
// operation's msghdr says how much room there is for an address and for control messages, and nothing else.
//
// Threads: any.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace wharf::runtime::detail {

// Receives one message without waiting. The buffer then holds a struct io_uring_recvmsg_out, room for room.msg_namelen bytes
// of address and for room.msg_controllen of control messages, and the bytes. Gives how much of the buffer that is, or minus
// the errno; -EFAULT: there is no room for so much.
std::int32_t receive_message(int socket, const msghdr& room, int flags, std::span<std::byte> buffer) noexcept;

}  // namespace wharf::runtime::detail
