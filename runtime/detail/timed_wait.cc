#include "wharf/runtime/detail/timed_wait.h"

#include "wharf/runtime/detail/time_left.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

void TimedWait::describe_time_left(std::string& text, std::int64_t now_ns) const {
  append_time_left(text, deadline_ns_, now_ns);
}

Status TimedWait::interruption(const char* operation) const {
  const std::string name(operation);
  if (expired_) {
    return make_status(StatusCode::kDeadlineExceeded, name + ": the deadline has passed");
  }
  return make_status(StatusCode::kCancelled, name + ": the task was stopped");
}

bool TimedWait::late() noexcept {
  expired_ = deadline_ns_ != kNever && deadline_ns_ <= Reactor::current().now_ns();
  return expired_;
}

void TimedWait::on_expired() noexcept {
  if (!waiting()) return;  // it has been served, and is about to go on
  expired_ = true;
  leave();
}

}  // namespace wharf::runtime::detail
