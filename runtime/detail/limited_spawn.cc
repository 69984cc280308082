#include "wharf/runtime/detail/limited_spawn.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime::detail {
namespace {

void default_signals() noexcept {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);  // not all can be
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the child, which shares the parent's memory until it has its program: plain system calls, and nothing that allocates.
// Signals are blocked until their handlers are gone. Returns if a step fails.
void become(const LimitedSpawn& spawn) noexcept {
  if (spawn.group == SpawnOptions::Group::kNewGroup && ::setpgid(0, 0) != 0) return;
  if (spawn.group == SpawnOptions::Group::kNewSession && ::setsid() < 0) return;
  if (spawn.directory != nullptr && ::chdir(spawn.directory) != 0) return;
  for (const FdMove& move : spawn.moves) {
    if (::dup2(move.fd, move.number) < 0) return;
  }
  for (const int number : spawn.closed) ::close(number);
  if (::close_range(static_cast<unsigned>(spawn.close_from), ~0U, 0) != 0) return;
  for (const SpawnOptions::Limit& limit : spawn.limits) {
    const rlimit value{limit.soft, limit.hard};
    if (::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &value) != 0) return;
  }
  default_signals();
  ::execve(spawn.path, spawn.argv, spawn.environment);
}

// Apart from its caller, whose variables the child must not spoil.
[[gnu::noinline]] pid_t start(const LimitedSpawn& spawn, volatile int& error) noexcept {
  const pid_t pid = ::vfork();
  if (pid == 0) {
    become(spawn);
    error = errno;
    ::_exit(127);
  }
  return pid;
}

}  // namespace

int limited_spawn(const LimitedSpawn& spawn, pid_t& pid) noexcept {
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  sys::count(sys::Call::kPosixSpawn);
  const int saved = errno;
  ::pthread_sigmask(SIG_SETMASK, &all, &old);
  volatile int error = 0;
  const pid_t child = start(spawn, error);
  const int refused = child < 0 ? errno : 0;
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  errno = saved;
  if (refused != 0) return -refused;
  if (error != 0) {
    siginfo_t info;
    sys::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED);
    return -error;
  }
  pid = child;
  return 0;
}

}  // namespace wharf::runtime::detail
