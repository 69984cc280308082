// PrivateFd: owns a descriptor as UniqueFd does, and no child of fork() keeps it: it is closed in the child before fork()
// returns there, and the child's copy of the object has none. So a child that goes on without exec has no part in its
// parent's ring, epoll instance or links, and their other ends see the parent's end though the child lives on. (After exec
// no descriptor is left anyway: each is close-on-exec.)
//
// posix_spawn(), vfork() and a bare clone() do not close it. The children of the first two are gone by exec; who calls the
// last by himself closes what he must.
//
// Threads: any, one at a time. What another thread forks between the making of a descriptor and its being taken here, and
//          between its release or closing and the next, has a copy.
// Cost:    to take, move and give up: a lock of the process.
#pragma once

#include <utility>

#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime {

class [[nodiscard]] PrivateFd {
 public:
  PrivateFd() noexcept = default;
  // Takes `fd`.
  explicit PrivateFd(UniqueFd fd) noexcept { take(fd.release()); }
  PrivateFd(PrivateFd&& other) noexcept { take(other.give_up()); }
  PrivateFd& operator=(PrivateFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~PrivateFd() { reset(); }

  // Borrowed; -1 if there is none.
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  // Gives the descriptor to the caller; children keep it again.
  UniqueFd release() noexcept { return UniqueFd(give_up()); }

  // Closes what it owns, and takes `fd`.
  void reset(UniqueFd fd = UniqueFd()) noexcept {
    const UniqueFd old(give_up());
    take(fd.release());
  }

 private:
  friend struct ForkHandlers;
  void take(int fd) noexcept;
  int give_up() noexcept;

  int fd_ = -1;
  PrivateFd* previous_ = nullptr;  // of all that own one
  PrivateFd* next_ = nullptr;
};

}  // namespace wharf::runtime
