// Name resolution: the addresses of a host, from whatever the system's resolver asks (files, DNS).
//
//     StatusOr<std::vector<Address>> addresses = co_await resolve("localhost", "http");
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/address.h"
#include "wharf/runtime/base/status.h"

namespace wharf::runtime {

struct ResolveOptions {
  int family = AF_UNSPEC;  // AF_INET or AF_INET6: those alone
};

// At least one address, in the order in which to try them (RFC 6724). `service`: a name of /etc/services, or a port. `host`
// may be numeric; an empty one is this machine's loopback.
//
// Errors: NotFound           nobody has that name, or it has no address of the family
//         InvalidArgument    there is no such service, or a zero byte in a name
//         Unavailable        no name server answers now
//         Cancelled, ResourceExhausted  see run_blocking (blocking.h), which carries it out
// Cancel: as in run_blocking: once it has begun, the resolver's own time-out ends it (resolv.conf: 5 s, twice, by default).
// Cost:   a thread of the reactor's meanwhile; none if host and service are numeric.
coro::Task<StatusOr<std::vector<Address>>> resolve(std::string host, std::string service, ResolveOptions options = {});

namespace detail {

// What getaddrinfo means by `error`, a name that begins with EAI_; `system_error` is its errno. Never OK.
Status resolve_failure(const std::string& name, int error, int system_error);

}  // namespace detail
}  // namespace wharf::runtime
