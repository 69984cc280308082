// Has the kernel add a pidfd of its sender to each message that a socket receives.
#pragma once

#include <sys/socket.h>

namespace wharf::test {

// False: the kernel is older than Linux 6.5, and cannot.
inline bool pass_pidfd(int socket) noexcept {
  constexpr int kSoPasspidfd = 76;  // not in the headers of Debian 12
  const int on = 1;
  return ::setsockopt(socket, SOL_SOCKET, kSoPasspidfd, &on, sizeof(on)) == 0;
}

}  // namespace wharf::test
