#include "wharf/runtime/timeout.h"

#include <algorithm>
#include <string>

#include "wharf/runtime/detail/time_left.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

static_assert(coro::kNoDeadline == kNever);

const coro::Context& TimeoutBase::begin(coro::Frame& parent) noexcept {
  parent_ = &parent;
  stop_.follow(parent.context->stop);
  const std::int64_t now_ns = Reactor::current().now_ns();
  const std::int64_t own_ns = limit_.kind == TimeLimit::Kind::kDeadline ? limit_.ns : deadline_after(now_ns, limit_.ns);
  context_ = parent.context->with_stop(stop_.token());
  context_.deadline_ns = std::min(own_ns, parent.context->deadline_ns);
  if (own_ns <= now_ns) {
    on_expired();  // nothing below waits at all
  } else {
    set(own_ns);
  }
  return context_;
}

coro::Frame* TimeoutBase::child_done(coro::Frame& /*child*/) noexcept {
  cancel();
  stop_.unfollow();
  return parent_;
}

void TimeoutBase::describe_wait(std::string& text, std::int64_t now_ns) const {
  if (is_set()) append_time_left(text, Timer::deadline_ns(), now_ns);
}

void TimeoutBase::on_expired() noexcept {
  expired_ = true;
  stop_.request_stop();
}

Status TimeoutBase::exceeded() const {
  return make_status(StatusCode::kDeadlineExceeded,
                     limit_.kind == TimeLimit::Kind::kDeadline
                         ? std::string("with_deadline: the deadline has passed")
                         : "with_timeout: not done after " + std::to_string(limit_.ns) + " ns");
}

}  // namespace wharf::runtime::detail
