#include "wharf/ipc/port.h"

#include <sys/socket.h>

#include "wharf/ipc/detail/handshake.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"

namespace wharf::ipc {

coro::Task<StatusOr<std::unique_ptr<Port>>> Port::open(runtime::UniqueFd socket, PortOptions options) {
  shm::Ref<detail::Link> link(new detail::Link(runtime::Reactor::current(), options));
  StatusOr<detail::Handshaken> handshaken =
      co_await detail::shake_hands(std::move(socket), options, &link->lane_owner());
  if (!handshaken.ok()) co_return handshaken.status();
  link->start(std::move(handshaken).value());
  co_return std::make_unique<Port>(std::move(link));
}

StatusOr<std::pair<runtime::UniqueFd, runtime::UniqueFd>> Port::socket_pair() {
  int fds[2];
  const int made = runtime::sys::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  if (made < 0) return runtime::errno_status(-made, "socket_pair: socketpair");
  return std::pair(runtime::UniqueFd(fds[0]), runtime::UniqueFd(fds[1]));
}

StatusOr<Message> CallAwaiter::await_resume() {
  if (!reply.has_value()) {
    if (!result.ok()) return std::move(result);
    return link_->gave_up(*this, "call");
  }
  if ((reply->flags_ & shm::kFlagError) == 0) return std::move(*reply);
  const auto code = static_cast<StatusCode>(reply->type_);
  // The peer chose the code: one that it cannot mean is its fault, not ours.
  const bool known = code > StatusCode::kOk && code <= StatusCode::kUnauthenticated;
  return runtime::make_status(known ? code : StatusCode::kUnknown, reply->to_string());
}

StatusOr<Loan> LoanAwaiter::await_resume() {
  if (loan.has_value()) return std::move(*loan);
  if (!result.ok()) return std::move(result);
  return link_->gave_up(*this, "loan");
}

}  // namespace wharf::ipc
