// The link that a worker process inherits from the supervisor that started it.
//
//     StatusOr<runtime::UniqueFd> link = ipc::take_inherited_link();
//     if (!link.ok()) { ... }   // not started by a supervisor: the message says so
//     auto port = co_await ipc::Port::open(std::move(link).value());
#pragma once

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc {

// The environment variable that holds the number of the inherited socket.
inline constexpr const char* kInheritedLinkVariable = "WHARF_LINK";

// Takes the socket that WHARF_LINK names: it is made close-on-exec, and the variable is removed, so that it is taken
// once and not handed on to children.
//
// Errors:  NotFound         WHARF_LINK is not set
//          InvalidArgument  it is no number, or names no socket
// Threads: before others start: it changes the environment.
StatusOr<runtime::UniqueFd> take_inherited_link();

}  // namespace wharf::ipc
