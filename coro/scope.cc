#include "wharf/coro/scope.h"

#include <algorithm>
#include <utility>

#include "wharf/coro/detail/fail.h"

namespace wharf::coro {

Scope::Scope(OnError on_error) noexcept : context_{Executor::current(), stop_.token()}, on_error_(on_error) {
  if (context_.executor == nullptr) {
    detail::fail("a Scope was made on a thread that drives no Executor: make it inside a task");
  }
}

Scope::~Scope() {
  if (live_count_ != 0) detail::fail("a Scope was destroyed with live tasks: join() it, or use with_scope()");
}

void Scope::spawn(Task<void> task) {
  // Room for what every live child may throw: its end must not need memory.
  const std::size_t needed = errors_.size() + live_count_ + 1;
  if (on_error_ == OnError::kCollect && errors_.capacity() < needed) {
    errors_.reserve(std::max(needed, 2 * errors_.capacity()));
  }
  task.start(*this, context_);
  ++live_count_;
  task.release();
}

Frame* Scope::child_done(Frame& child) noexcept {
  if (child.error != nullptr && on_error_ == OnError::kCollect) {
    errors_.push_back(child.error);
  } else if (child.error != nullptr && first_error_ == nullptr) {
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

std::vector<std::exception_ptr> Scope::take_errors() {
  std::vector<std::exception_ptr> room;
  room.reserve(on_error_ == OnError::kCollect ? live_count_ : 0);
  return std::exchange(errors_, std::move(room));
}

}  // namespace wharf::coro
