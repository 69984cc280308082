#include "wharf/runtime/detail/shared_wait.h"

#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

bool SharedWait::begin(coro::Frame& frame) noexcept {
  frame_ = &frame;
  reactor_ = &Reactor::current();
  gate_ = reactor_->gate();
  return frame.context->stop.attach(*this);
}

void SharedWait::wake() noexcept {
  if (coro::Executor::current() == reactor_) {
    run();
    return;
  }
  // Once it is posted the wait may be gone, and its reactor too, before post() returns.
  const std::shared_ptr<PostGate> gate = gate_;
  gate->post(*this);
}

void SharedWait::run() noexcept {
  StopCallback::detach();
  frame_->schedule();
}

void SharedWait::on_stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!List::linked(*this)) return;  // it has succeeded, and run() is on its way
    List::remove(*this);
  }
  frame_->schedule();
}

}  // namespace wharf::runtime::detail
