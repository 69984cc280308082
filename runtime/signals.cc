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
      return make_status(StatusCode::kInvalidArgument,
                         "signals: " + std::to_string(signal) + " cannot be awaited");
    }
  }
  const int fd = sys::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return errno_status(-fd, "signalfd");
  UniqueFd owned(fd);
  sigset_t old_mask;
  const int blocked = sys::thread_sigmask(SIG_BLOCK, &mask, &old_mask);
  if (blocked < 0) return errno_status(-blocked, "sigmask");
  return std::unique_ptr<SignalSet>(new SignalSet(std::move(owned), old_mask));
}

SignalSet::SignalSet(UniqueFd fd, const sigset_t& old_mask) noexcept
    : fd_(std::move(fd)), old_mask_(old_mask) {}

SignalSet::~SignalSet() {
  static_cast<void>(sys::thread_sigmask(SIG_SETMASK, &old_mask_, nullptr));
}

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
