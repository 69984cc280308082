#include "wharf/runtime/detail/epoll_set.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::runtime::detail {

int EpollSet::add(int file, std::uint32_t events, std::uint64_t key) noexcept {
  epoll_event event{.events = events, .data = {.u64 = key}};
  return ::epoll_ctl(instance_.get(), EPOLL_CTL_ADD, file, &event) == 0 ? 0 : -errno;
}

void EpollSet::remove(int file) noexcept {
  epoll_event unused{};
  ::epoll_ctl(instance_.get(), EPOLL_CTL_DEL, file, &unused);
}

std::size_t EpollSet::wait(std::span<epoll_event> events, std::int64_t deadline_ns) noexcept {
  for (;;) {
    const int found = wait_once(events, deadline_ns);
    if (found >= 0) return static_cast<std::size_t>(found);
    // SIGSTOP and SIGCONT give it too, though nothing handles them.
    if (found != -EINTR) check_failed(__FILE__, __LINE__, "epoll_wait", errno_text(-found));
  }
}

int EpollSet::wait_once(std::span<epoll_event> events, std::int64_t deadline_ns) noexcept {
  sys::count(sys::Call::kEpollWait);
  std::int64_t left_ns = 0;
  if (deadline_ns != 0) left_ns = std::max<std::int64_t>(deadline_ns - now_ns(), 0);
  if (has_pwait2_) {
    const timespec timeout{.tv_sec = left_ns / 1'000'000'000, .tv_nsec = left_ns % 1'000'000'000};
    const auto found = static_cast<int>(::syscall(SYS_epoll_pwait2, instance_.get(), events.data(), events.size(),
                                                  deadline_ns == kNever ? nullptr : &timeout, nullptr, 0));
    if (found >= 0) return found;
    if (errno == EINTR) return -EINTR;
    has_pwait2_ = false;
  }
  // Rather late than too often.
  const std::int64_t left_ms = std::min<std::int64_t>((left_ns + 999'999) / 1'000'000, INT_MAX);
  const int found = ::epoll_wait(instance_.get(), events.data(), static_cast<int>(events.size()),
                                 deadline_ns == kNever ? -1 : static_cast<int>(left_ms));
  return found >= 0 ? found : -errno;
}

}  // namespace wharf::runtime::detail
