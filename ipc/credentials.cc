#include "wharf/ipc/credentials.h"

#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "wharf/runtime/base/sys.h"

// Linux 6.5; not in the headers of Debian 12.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace wharf::ipc {
namespace sys = runtime::sys;

StatusOr<PeerCredentials> peer_credentials(int socket) {
  ucred known{};
  socklen_t bytes = sizeof(known);
  const int result = sys::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &known, &bytes);
  if (result < 0) return runtime::errno_status(-result, "peer credentials: getsockopt");
  PeerCredentials peer{.pid = known.pid, .uid = known.uid, .gid = known.gid, .pidfd = {}};
  int pidfd = -1;
  bytes = sizeof(pidfd);
  if (sys::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes) == 0) peer.pidfd.reset(pidfd);
  return peer;
}

Status same_user_or_root(const PeerCredentials& peer) {
  if (peer.uid == ::geteuid() || peer.uid == 0) return absl::OkStatus();
  return absl::PermissionDeniedError("process " + std::to_string(peer.pid) + " is of user " + std::to_string(peer.uid) +
                                     ": neither this one nor root");
}

}  // namespace wharf::ipc
