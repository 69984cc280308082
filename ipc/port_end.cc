#include "wharf/ipc/port_end.h"

#include <sys/socket.h>

#include "wharf/runtime/base/sys.h"

namespace wharf::ipc {
namespace {

// -1: it is no socket at all.
int socket_option(int fd, int name) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  return runtime::sys::getsockopt(fd, SOL_SOCKET, name, &value, &bytes) < 0 ? -1 : value;
}

}  // namespace

Status PortEnd::check() const {
  if (socket_option(fd(), SO_TYPE) == SOCK_SEQPACKET && socket_option(fd(), SO_DOMAIN) == AF_UNIX) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "port end: a Unix socket of type SOCK_SEQPACKET is wanted: see Port::end_pair()");
}

}  // namespace wharf::ipc
