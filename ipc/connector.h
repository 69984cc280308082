// connect_port(): a port to the process that listens under a name (listener.h).
//
//     auto port = co_await ipc::connect_port("/run/app/control.sock");
//     if (!port.ok()) co_return port.status();                // names the path and the remedy: is the server running?
//
// Threads: the reactor's.
#pragma once

#include <memory>
#include <string>

#include "wharf/coro/task.h"
#include "wharf/ipc/credentials.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

// Connects and opens the port; tries once, but waits while the server's backlog is full. `policy` decides whether the process that listens is one to talk to: anybody may
// take an abstract name, or a path in a folder that anybody may write to.
//
// Units:  handshake_timeout_ms is for connecting and for the handshake together.
// Errors: NotFound           nobody listens there
//         PermissionDenied   this user may not connect, or the policy refuses the server
//         DeadlineExceeded   the server accepts nobody, or does not answer
//         Unavailable        it closed the link: it refuses this process, or has ended
//         InvalidArgument    the name is empty or too long, or an option is out of range
//         FailedPrecondition what listens there is no wharf program, or another version
//         ResourceExhausted  no descriptor, or no memory
// Cancel: honoured.
coro::Task<StatusOr<std::unique_ptr<Port>>> connect_port(std::string name, PortOptions options = {},
                                                         CredentialPolicy policy = same_user_or_root);

}  // namespace wharf::ipc
