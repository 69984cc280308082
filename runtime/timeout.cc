#include "wharf/runtime/timeout.h"

#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

const coro::Context& TimeoutBase::begin(coro::Frame& parent) noexcept {
  parent_ = &parent;
  stop_.follow(parent.context->stop);
  context_ = coro::Context{parent.context->executor, stop_.token()};
  set(deadline_after(Reactor::current().now_ns(), duration_ns_));
  return context_;
}

coro::Frame* TimeoutBase::child_done(coro::Frame& /*child*/) noexcept {
  cancel();
  stop_.unfollow();
  return parent_;
}

void TimeoutBase::on_expired() noexcept {
  expired_ = true;
  stop_.request_stop();
}

Status TimeoutBase::exceeded() const {
  return make_status(StatusCode::kDeadlineExceeded,
                     "with_timeout: not done after " + std::to_string(duration_ns_) + " ns");
}

}  // namespace wharf::runtime::detail
