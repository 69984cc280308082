#include "wharf/ipc/port_handle.h"

namespace wharf::ipc {
using detail::Exchange;

StatusOr<RemoteMessage> HandleCallAwaiter::await_resume() {
  if (Status result = take_result("call"); !result.ok()) return result;
  return std::move(*reply());
}

Status PortHandle::try_send(Message message) const {
  if (Status refusal = mailbox_->admit(message); !refusal.ok()) return refusal;
  detail::Letter::post(mailbox_, std::move(message));
  return absl::OkStatus();
}

HandleSendAwaiter PortHandle::send(Message message, WaitOptions options) const {
  if (Status refusal = mailbox_->admit(message); !refusal.ok()) return {nullptr, std::move(refusal), 0};
  auto* exchange = new Exchange(mailbox_, Exchange::Kind::kSend, std::move(message), options.deadline_ns);
  return {exchange, absl::OkStatus(), options.deadline_ns};
}

HandleCallAwaiter PortHandle::call(Message request, WaitOptions options) const {
  if (Status refusal = mailbox_->admit(request); !refusal.ok()) return {nullptr, std::move(refusal), 0};
  if (options.deadline_ns != 0) request.set_deadline_ns(options.deadline_ns);
  auto* exchange = new Exchange(mailbox_, Exchange::Kind::kCall, std::move(request), options.deadline_ns);
  return {exchange, absl::OkStatus(), options.deadline_ns};
}

}  // namespace wharf::ipc
