#include "wharf/ipc/connector.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

#include "wharf/ipc/detail/socket_name.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"

namespace wharf::ipc {
namespace {

namespace sys = runtime::sys;

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::chrono::milliseconds kFullBacklogPause(2);

Status connect_error(int error, const std::string& operation) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:  // the path of a dead server, or an abstract name
      return absl::NotFoundError(operation + ": nobody listens there: is the server running?");
    case EACCES: return runtime::errno_status(error, operation, "this user may not write to the path: see its mode");
    case EPROTOTYPE: return absl::FailedPreconditionError(operation + ": what listens there is no wharf program");
    default: return runtime::errno_status(error, operation);
  }
}

Status with_context(const std::string& operation, const Status& status) {
  return runtime::make_status(status.code(), operation + ": " + std::string(status.message()));
}

// A Unix socket connects at once, unless the server's backlog is full. Nothing tells when it has room again but a blocking
// connect, which io_uring gives to a thread, and does not always find again to cancel it: so it is asked now and then.
coro::Task<StatusOr<runtime::UniqueFd>> connect_socket(detail::SocketName name, std::string operation,
                                                       std::int64_t deadline_ns) {
  runtime::UniqueFd socket;
  const int fd = sys::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) co_return runtime::errno_status(-fd, operation + ": socket");
  socket.reset(fd);
  int result = sys::connect(fd, name.address(), name.address_bytes());
  while (result == -EAGAIN) {
    if (runtime::Reactor::current().now_ns() >= deadline_ns) {
      co_return absl::DeadlineExceededError(operation + ": the server accepts nobody, and its backlog is full");
    }
    const bool elapsed = co_await runtime::sleep_for(kFullBacklogPause);
    if (!elapsed) co_return absl::CancelledError(operation + ": the task was stopped");
    result = sys::connect(fd, name.address(), name.address_bytes());
  }
  if (result < 0) co_return connect_error(-result, operation);
  co_return socket;
}

}  // namespace

coro::Task<StatusOr<std::unique_ptr<Port>>> connect_port(std::string name, PortOptions options,
                                                         CredentialPolicy policy) {
  const std::string operation = "connect to " + name;
  StatusOr<detail::SocketName> parsed = detail::SocketName::parse(name);
  if (!parsed.ok()) co_return parsed.status();
  if (Status status = check_options(options); !status.ok()) co_return with_context(operation, status);
  const runtime::Reactor& reactor = runtime::Reactor::current();
  const std::int64_t deadline_ns = runtime::deadline_after(reactor.now_ns(), options.handshake_timeout_ms * kNsPerMs);

  auto socket = co_await connect_socket(*parsed, operation, deadline_ns);
  if (!socket.ok()) co_return socket.status();
  auto credentials = peer_credentials(socket->get());
  Status admitted = credentials.ok() ? policy(*credentials) : credentials.status();
  if (!admitted.ok()) co_return with_context(operation + ": this side refuses the server", admitted);

  options.handshake_timeout_ms = std::max<std::int64_t>((deadline_ns - reactor.now_ns()) / kNsPerMs, 1);
  auto port = co_await Port::open(*std::move(socket), options);
  if (port.ok()) co_return *std::move(port);
  const bool closed = port.status().code() == StatusCode::kUnavailable;
  co_return with_context(closed ? operation + ": refused, or the server has ended: is the server running?" : operation,
                         port.status());
}

}  // namespace wharf::ipc
