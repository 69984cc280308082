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

Executor::Entered::Entered(Executor& executor) noexcept
    : outer_(std::exchange(current_executor(), &executor)) {}

Executor::Entered::~Entered() { current_executor() = outer_; }

std::size_t Executor::run_ready(std::size_t frame_count_max) noexcept {
  std::size_t count = 0;
  while (first_ != nullptr && count < frame_count_max) {
    Frame& frame = *first_;
    first_ = frame.next;
    if (first_ == nullptr) last_ = nullptr;
    transfers_left_ = kTransfersMax;
    frame.handle.resume();
    if (retired_ != nullptr) reap();
    ++count;
  }
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
