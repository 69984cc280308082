// Fds: the file descriptors of one packet or message. Those that came from a peer that may be hostile are closed
// elsewhere (runtime/close_elsewhere.h), whoever drops them.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <utility>

#include "wharf/ipc/detail/few.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/close_elsewhere.h"

namespace wharf::ipc::detail {

class Fds {
 public:
  Fds() noexcept = default;
  explicit Fds(bool close_elsewhere) noexcept : close_elsewhere_(close_elsewhere) {}
  Fds(Fds&& other) noexcept = default;
  Fds& operator=(Fds&& other) noexcept {
    if (this == &other) return *this;
    clear();
    fds_ = std::move(other.fds_);
    close_elsewhere_ = other.close_elsewhere_;
    return *this;
  }
  ~Fds() { clear(); }

  bool empty() const noexcept { return fds_.empty(); }
  std::size_t size() const noexcept { return fds_.size(); }
  runtime::UniqueFd& operator[](std::size_t index) noexcept { return fds_[index]; }
  const runtime::UniqueFd* data() const noexcept { return fds_.data(); }
  const runtime::UniqueFd* begin() const noexcept { return fds_.data(); }
  const runtime::UniqueFd* end() const noexcept { return fds_.data() + fds_.size(); }

  void push_back(runtime::UniqueFd fd) { fds_.push_back(std::move(fd)); }
  // Those from `index` on, which leave.
  Fds split_off(std::size_t index) {
    Fds tail(close_elsewhere_);
    for (std::size_t i = index; i < fds_.size(); ++i) tail.push_back(std::move(fds_[i]));
    fds_.shrink(index);
    return tail;
  }
  void clear() noexcept {
    if (fds_.empty()) return;
    if (close_elsewhere_) {
      for (runtime::UniqueFd& fd : fds_) runtime::close_elsewhere(std::move(fd));
    }
    fds_.clear();
  }

 private:
  Few<runtime::UniqueFd> fds_;
  bool close_elsewhere_ = false;
};

}  // namespace wharf::ipc::detail
