// Which descriptors a control message of a Unix socket has brought into this process.
//
// Threads: any.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstring>

namespace wharf::runtime::detail {

// Linux 6.5; not in the headers of Debian 12. While SO_PASSPIDFD is set on a socket, or on a duplicate of it, each
// message brings a descriptor that its sender did not send: a pidfd of the sender.
inline constexpr int kScmPidfd = 4;

// Calls `take` with each descriptor that came in messages of `type`: SCM_RIGHTS, or kScmPidfd. They are this process's.
template <class Take>
void take_control_fds(msghdr& header, int type, Take take) {
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != type) continue;
    const std::size_t fd_count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < fd_count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(fd));
      if (fd >= 0) take(fd);  // instead of a pidfd there may be minus an errno
    }
  }
}

}  // namespace wharf::runtime::detail
