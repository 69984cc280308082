#include "wharf/runtime/detail/blocking_awaiter.h"

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

BlockingBase::BlockingBase(BlockingBase&& other) noexcept : Job(), coro::StopCallback() {
  WHARF_CHECK(other.state_ == State::kNew, "a run_blocking was moved while it was awaited");
}

BlockingBase::~BlockingBase() {
  WHARF_CHECK(state_ != State::kGiven, "a run_blocking was destroyed while a thread has its function: join the task");
}

bool BlockingBase::begin(coro::Frame& frame) noexcept {
  reactor_ = &Reactor::current();
  frame_ = &frame;
  if (!frame.context->stop.attach(*this)) {
    state_ = State::kStopped;
    return false;
  }
  state_ = State::kGiven;  // from the push on a thread may have it
  switch (reactor_->blocking_pool().push(*this)) {
    case WorkerPool::Pushed::kTaken: return true;
    case WorkerPool::Pushed::kFull: state_ = State::kFull; break;
    case WorkerPool::Pushed::kNoThread: state_ = State::kNoThread; break;
  }
  StopCallback::detach();
  return false;
}

// On a thread of the pool.
void BlockingBase::run() noexcept {
  Reactor& reactor = *reactor_;
  call();
  reactor.post(return_);
}

void BlockingBase::end(State state) noexcept {
  state_ = state;
  StopCallback::detach();
  frame_->schedule();
}

void BlockingBase::on_stop() noexcept {
  if (reactor_->blocking_pool().withdraw(*this)) end(State::kStopped);
}

Status BlockingBase::refusal() const {
  switch (state_) {
    case State::kFull:
      return make_status(StatusCode::kResourceExhausted,
                         "run_blocking: too many functions wait for a thread: raise "
                         "ReactorOptions::blocking_queue_max, or begin fewer");
    case State::kNoThread:
      return make_status(StatusCode::kResourceExhausted,
                         "run_blocking: no thread can be started: raise ulimit -u or pids.max");
    default: return make_status(StatusCode::kCancelled, "run_blocking: the task was stopped");
  }
}

}  // namespace wharf::runtime::detail
