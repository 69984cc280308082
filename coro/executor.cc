#include "wharf/coro/executor.h"

#include <utility>

#include "wharf/coro/detail/fail.h"

namespace wharf::coro {
namespace {

WHARF_NOINLINE Executor*& current_executor() noexcept {
  static thread_local Executor* current = nullptr;
  return current;
}

}  // namespace

Executor::~Executor() {
  if (!idle()) detail::fail("an Executor was destroyed with tasks in its queue: join every Scope first");
  reap();
}

Executor* Executor::current() noexcept { return current_executor(); }

Executor::Entered::Entered(Executor& executor) noexcept : outer_(std::exchange(current_executor(), &executor)) {}

Executor::Entered::~Entered() { current_executor() = outer_; }

std::size_t Executor::run_ready(std::size_t frame_count_max) noexcept {
  std::size_t count = 0;
  stack_end_ = detail::stack_address() - kTransferStackBytes;
  while (first_ != nullptr && count < frame_count_max) {
    Frame& frame = *first_;
    first_ = frame.next;
    if (first_ == nullptr) last_ = nullptr;
    forget_wait(frame);
    note_running(frame);
    frame.handle.resume();
    running_ = nullptr;  // before what it held is destroyed
    if (retired_ != nullptr) reap();
    ++count;
  }
#if WHARF_TASK_TRACE
  running_at_.store({}, std::memory_order_relaxed);
#endif
  return count;
}

void Executor::reap() noexcept {
  while (retired_ != nullptr) {
    Frame& frame = *retired_;
    retired_ = frame.next;
    frame.handle.destroy();
  }
}

}  // namespace wharf::coro
