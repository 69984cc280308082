#include "wharf/runtime/timer.h"

#include "wharf/runtime/detail/time_left.h"
#include "wharf/runtime/detail/timer_heap.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {

void Timer::insert(std::int64_t deadline_ns) noexcept { Reactor::current().timers_.insert(*this, deadline_ns); }

void Timer::remove() noexcept { heap_->remove(*this); }

bool SleepAwaiter::begin(coro::Frame& frame) noexcept {
  frame_ = &frame;
  if (!frame.context->stop.attach(*this)) {
    stopped_ = true;
    return false;
  }
  set(wake_ns_);
  return true;
}

void SleepAwaiter::describe_wait(std::string& text, std::int64_t now_ns) const {
  detail::append_time_left(text, wake_ns_, now_ns);
}

void SleepAwaiter::on_expired() noexcept {
  detach();
  frame_->schedule();
}

void SleepAwaiter::on_stop() noexcept {
  stopped_ = true;
  cancel();
  frame_->schedule();
}

SleepAwaiter sleep_for(std::chrono::nanoseconds duration) noexcept {
  return SleepAwaiter(deadline_after(Reactor::current().now_ns(), duration.count()));
}

SleepAwaiter sleep_until(std::int64_t deadline_ns) noexcept { return SleepAwaiter(deadline_ns); }

}  // namespace wharf::runtime
