// What the kernel knows about a socket: its addresses. And a socket that is bound to one.
//
// Threads: any.
#pragma once

#include "wharf/runtime/address.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime::detail {

StatusOr<Address> local_address(int socket);
StatusOr<Address> peer_address(int socket);

// A new socket for addresses like `address`; close-on-exec, in blocking mode.
StatusOr<UniqueFd> open_socket(const Address& address, int type);
Status bind_socket(int socket, const Address& address);

}  // namespace wharf::runtime::detail
