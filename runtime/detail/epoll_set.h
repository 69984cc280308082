// EpollSet: an epoll instance, and the differences between kernels.
//
// Threads: one.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::runtime::detail {

class EpollSet {
 public:
  // Takes an instance made by epoll_create1.
  explicit EpollSet(UniqueFd instance) noexcept : instance_(std::move(instance)) {}

  // Gives 0, or minus the errno; -EPERM for a file that is always ready, such as one on a disk. `key` comes with its
  // events.
  int add(int file, std::uint32_t events, std::uint64_t key) noexcept;
  void remove(int file) noexcept;

  // Fills `events` with what has come, and sleeps until there is something, or until the deadline: on the monotonic
  // clock, 0 not to sleep, or kNever. Gives their number. A signal does not end it, nor does a stop of the process.
  std::size_t wait(std::span<epoll_event> events, std::int64_t deadline_ns) noexcept;

  int fd() const noexcept { return instance_.get(); }

 private:
  // Gives -EINTR for a signal, and after a stop of the process.
  int wait_once(std::span<epoll_event> events, std::int64_t deadline_ns) noexcept;

  PrivateFd instance_;
  bool has_pwait2_ = true;  // Linux 5.11
};

}  // namespace wharf::runtime::detail
