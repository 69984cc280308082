#include "wharf/ipc/port.h"

#include <sys/socket.h>

#include "wharf/ipc/detail/call_state.h"
#include "wharf/ipc/detail/handshake.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"

namespace wharf::ipc {

coro::Task<StatusOr<std::unique_ptr<Port>>> Port::open(PortEnd end, PortOptions options) {
  options = settled(options);
  shm::Ref<detail::Link> link(new detail::Link(runtime::Reactor::current(), options));
  StatusOr<detail::Handshaken> handshaken = co_await detail::shake_hands(std::move(end), options, &link->lane_owner());
  if (!handshaken.ok()) co_return handshaken.status();
  auto port = std::make_unique<Port>(link);
  link->start(std::move(handshaken).value());
  co_return port;
}

StatusOr<std::pair<PortEnd, PortEnd>> Port::end_pair() {
  int fds[2];
  const int made = runtime::sys::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
  if (made < 0) return runtime::errno_status(-made, "end_pair: socketpair");
  return std::pair(PortEnd(runtime::UniqueFd(fds[0])), PortEnd(runtime::UniqueFd(fds[1])));
}

bool CallAwaiter::on_reply(Message&& message) {
  if (gave_up()) return true;
  if (message.has_more()) {
    streams = true;  // the peer is to stop
    result = absl::FailedPreconditionError("call: the reply has several parts: use start_call()");
  } else {
    reply_.emplace(std::move(message));
  }
  if (waiting()) leave();
  return true;
}

void CallAwaiter::on_failure(const Status& why) noexcept {
  if (gave_up()) return;
  result = why;
  if (waiting()) leave();
}

StatusOr<Message> CallAwaiter::await_resume() {
  if (!reply_.has_value()) {
    if (!result.ok()) return std::move(result);
    return link_->gave_up(*this, "call");
  }
  if (Status error = reply_->as_error(); !error.ok()) return error;
  return std::move(*reply_);
}

coro::Task<StatusOr<Call>> Port::start_call(Message request, CallOptions options) {
  shm::Ref<detail::Link> link = link_;
  shm::Ref<detail::CallState> state(new detail::CallState(link, options.deadline_ns, options.more));
  if (options.deadline_ns != 0) request.set_deadline_ns(options.deadline_ns);
  request.set_deadline_ns(link->call_deadline_ns(request.deadline_ns()));
  detail::Outgoing outgoing{.message = std::move(request)};
  if (options.more) outgoing.flags = shm::kFlagMore;
  Status sent = co_await send_outgoing(std::move(link), std::move(outgoing), options.deadline_ns, state.get());
  if (!sent.ok()) co_return sent;
  co_return Call(std::move(state));
}

StatusOr<Loan> LoanAwaiter::await_resume() {
  if (borrowing_.loan.has_value()) return *std::move(borrowing_.loan);
  if (!borrowing_.result.ok()) return std::move(borrowing_.result);
  return link_->gave_up(*borrower_, "loan");
}

}  // namespace wharf::ipc
