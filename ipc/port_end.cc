#include "wharf/ipc/port_end.h"

#include <sys/socket.h>

#include <cerrno>

#include "wharf/runtime/base/sys.h"

namespace wharf::ipc {
namespace {

// Negative: why it could not be asked; -ENOTSOCK: it is no socket at all.
int socket_option(int fd, int name) {
  int value = 0;
  socklen_t bytes = sizeof(value);
  const int asked = runtime::sys::getsockopt(fd, SOL_SOCKET, name, &value, &bytes);
  return asked < 0 ? asked : value;
}

}  // namespace

Status PortEnd::check() const {
  const int type = socket_option(fd(), SO_TYPE);
  const int domain = socket_option(fd(), SO_DOMAIN);
  if (type == SOCK_SEQPACKET && domain == AF_UNIX) return absl::OkStatus();
  for (const int answer : {type, domain}) {
    if (answer < 0 && answer != -ENOTSOCK && answer != -EBADF) {
      return runtime::errno_status(-answer, "port end: getsockopt");
    }
  }
  return absl::InvalidArgumentError("port end: a Unix socket of type SOCK_SEQPACKET is wanted: see Port::end_pair()");
}

}  // namespace wharf::ipc
