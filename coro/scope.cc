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
  // By way of the queue: the child's frame, with the parameters in it, is gone before the joiner goes on.
  if (live_count_ == 0 && waiting_ != nullptr) std::exchange(waiting_, nullptr)->schedule();
  return nullptr;
}

void Scope::wait(Frame& joiner) noexcept {
  if (waiting_ != nullptr) detail::fail("two tasks join the same Scope: only its owner may");
  waiting_ = &joiner;
}

void Scope::rethrow_first_error() {
  if (first_error_ != nullptr) std::rethrow_exception(std::exchange(first_error_, nullptr));
}

}  // namespace wharf::coro
