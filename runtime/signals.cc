#include "wharf/runtime/signals.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {

StatusOr<std::unique_ptr<SignalSet>> SignalSet::create(const std::vector<int>& signals) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : signals) {
    if (signal == SIGKILL || signal == SIGSTOP || sigaddset(&mask, signal) != 0) {
      return make_status(StatusCode::kInvalidArgument, "signals: " + std::to_string(signal) + " cannot be awaited");
    }
  }
  const int fd = sys::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return errno_status(-fd, "signalfd");
  UniqueFd owned(fd);
  std::unique_ptr<SignalSet> set(new SignalSet(std::move(owned)));
  sigset_t before;
  const int blocked = sys::thread_sigmask(SIG_BLOCK, &mask, &before);
  if (blocked < 0) return errno_status(-blocked, "sigmask");
  for (const int signal : signals) {
    if (sigismember(&before, signal) == 0) sigaddset(&set->blocked_, signal);
  }
  return set;
}

SignalSet::SignalSet(UniqueFd fd) noexcept : fd_(std::move(fd)) { sigemptyset(&blocked_); }

SignalSet::~SignalSet() { static_cast<void>(sys::thread_sigmask(SIG_UNBLOCK, &blocked_, nullptr)); }

coro::Task<StatusOr<int>> SignalSet::next(IoOptions options) {
  for (;;) {
    signalfd_siginfo info;
    const ssize_t bytes = sys::read(fd_.get(), &info, sizeof(info));
    if (bytes == sizeof(info)) co_return static_cast<int>(info.ssi_signo);
    if (bytes != -EAGAIN) co_return errno_status(static_cast<int>(-bytes), "signals");
    StatusOr<std::uint32_t> readable = co_await poll(fd_.get(), POLLIN, options);
    if (!readable.ok()) co_return readable.status();
  }
}

}  // namespace wharf::runtime
