#include "wharf/coro/scope.h"

#include <utility>

#include "wharf/coro/detail/fail.h"

namespace wharf::coro {

Scope::Scope() noexcept : context_{Executor::current(), stop_.token()} {
  if (context_.executor == nullptr) {
    detail::fail("a Scope was made on a thread that drives no Executor: make it inside a task");
  }
}

Scope::~Scope() {
  if (live_count_ != 0) detail::fail("a Scope was destroyed with live tasks: join() it, or use with_scope()");
}

void Scope::spawn(Task<void> task) noexcept {
  task.start(*this, context_);
  ++live_count_;
  task.release();
}

Frame* Scope::child_done(Frame& child) noexcept {
  if (child.error != nullptr && first_error_ == nullptr) {
    first_error_ = child.error;
    cancel();
  }
  context_.executor->retire(child);
  --live_count_;
  return live_count_ == 0 ? std::exchange(waiting_, nullptr) : nullptr;
}

void Scope::rethrow_first_error() {
  if (first_error_ != nullptr) std::rethrow_exception(std::exchange(first_error_, nullptr));
}

}  // namespace wharf::coro
