// UniqueFd: owns a file descriptor, and closes it once. A bare int is a borrowed one.
//
// Threads: any; one at a time.
#pragma once

#include <utility>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {

class [[nodiscard]] UniqueFd {
 public:
  UniqueFd() noexcept = default;
  // Takes `fd`; a negative one stands for none.
  explicit UniqueFd(int fd) noexcept : fd_(fd < 0 ? -1 : fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  // Borrowed; -1 if there is none.
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  // Gives the descriptor to the caller, who closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  // Closes what it owns, and takes `fd`. errno stays as it was.
  void reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd < 0 ? -1 : fd);
    if (old >= 0) sys::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace wharf::runtime
