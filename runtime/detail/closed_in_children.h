// ClosedInChildren: a descriptor that no child of fork() keeps: it is closed in the child before fork() returns there. So a
// child that goes on without exec has no part in its parent's ring, or epoll instance. (After exec none is left anyway:
// every descriptor is close-on-exec.)
//
// Ownership: the descriptor is borrowed, and outlives the object.
// Threads:   any.
#pragma once

namespace wharf::runtime::detail {

class ClosedInChildren {
 public:
  explicit ClosedInChildren(int fd) noexcept;
  ~ClosedInChildren();
  ClosedInChildren(const ClosedInChildren&) = delete;
  ClosedInChildren& operator=(const ClosedInChildren&) = delete;

 private:
  friend struct ForkHandlers;
  int fd_;
  ClosedInChildren* previous_ = nullptr;
  ClosedInChildren* next_;
};

}  // namespace wharf::runtime::detail
