// The awaiter behind shield and with_local: runs a task under a context of its own.
#pragma once

#include <utility>

#include "wharf/coro/task.h"

namespace wharf::coro::detail {

template <class T>
class [[nodiscard]] Under : private Joiner {
 public:
  explicit Under(Task<T> task) noexcept : task_(std::move(task)) {}
  Under(const Under&) = delete;
  Under& operator=(const Under&) = delete;

  static bool await_ready() noexcept { return false; }
  T await_resume() { return task_.take(); }

 protected:
  ~Under() = default;

  void begin(Frame& parent, const Context& context) noexcept {
    parent_ = &parent;
    context_ = context;
    task_.start(*this, context_);
  }

 private:
  Frame* child_done(Frame& /*child*/) noexcept override { return parent_; }
  const Frame* awaited_by() const noexcept override { return parent_; }

  Task<T> task_;
  Frame* parent_ = nullptr;
  Context context_;
};

}  // namespace wharf::coro::detail
