#include "wharf/coro/executor.h"

#include "wharf/coro/detail/fail.h"

namespace wharf::coro {

void Frame::rethrow_error() { std::rethrow_exception(std::exchange(error, nullptr)); }

void Frame::destroy_with_error() noexcept {
  error = nullptr;
  handle().destroy();
}

Executor::~Executor() {
  if (!idle()) detail::fail("an Executor was destroyed with tasks in its queue: join every Scope first");
  reap();
}

std::size_t Executor::run_ready(std::size_t frame_count_max) noexcept {
  const Entered entered(*this);
  std::size_t count = 0;
  stack_end_ = detail::stack_address() - kTransferStackBytes;
  while (first_ != nullptr && count < frame_count_max) {
    Frame& frame = *first_;
    first_ = frame.next;
    if (first_ == nullptr) last_ = nullptr;
    forget_wait(frame);
    running_ = frame.context;
    note_running(frame);
    frame.handle().resume();
    running_ = nullptr;  // before what it held is destroyed
    if (retired_ != nullptr) reap();
    ++count;
  }
  note_nothing_runs();
  return count;
}

std::coroutine_handle<> Executor::after_task(Frame& frame) noexcept {
  Executor& executor = *frame.context->executor;
  remove_task(frame);
  Frame* const following = frame.joiner->child_done(frame);
  if (following == nullptr) return std::noop_coroutine();
  executor.running_ = following->context;
  return executor.transfer_to(*following);
}

void Executor::reap() noexcept {
  while (retired_ != nullptr) {
    Frame& frame = *retired_;
    retired_ = frame.next;
    frame.destroy();
  }
}

}  // namespace wharf::coro
