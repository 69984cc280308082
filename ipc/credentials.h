// Who is at the other end of a socket, as the kernel knows it: what a policy for strangers decides on.
//
// Threads: any.
#pragma once

#include <sys/types.h>

#include <functional>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc {

// As they were when the peer connected or, seen from the one that connected, when it began to listen. They stay those of
// that process, whoever it hands the socket to.
struct PeerCredentials {
  pid_t pid = 0;  // only for messages, as the number may be another's by now; 0: of another pid namespace
  uid_t uid = 0;
  gid_t gid = 0;
  runtime::UniqueFd pidfd;  // the process itself; none before Linux 6.5, or if the process has ended
};

// Errors: errno_status() of getsockopt, for what is no connected Unix socket
StatusOr<PeerCredentials> peer_credentials(int socket);

// OK: the peer may have a port. Anything else refuses it; the status says why, and stays on this side.
using CredentialPolicy = std::function<Status(const PeerCredentials& peer)>;

// Processes of this process's user, and of root.
//
// Errors: PermissionDenied names the user of the peer.
Status same_user_or_root(const PeerCredentials& peer);

}  // namespace wharf::ipc
