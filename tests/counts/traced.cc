#include "wharf/tests/counts/traced.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace wharf::test {
namespace {

// No kernel has a call of this number: it does nothing, and is seen.
constexpr long kMarkNumber = 0x7ea1;
// PTRACE_O_TRACESYSGOOD marks a stop at a system call with it.
constexpr int kAtSystemCall = SIGTRAP | 0x80;

struct Child {
  Watched result;
  bool counting = false;
};

void look_at_call(pid_t pid, Child& child) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0) return;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
  if (info.entry.nr == static_cast<std::uint64_t>(kMarkNumber)) {
    child.counting = !child.counting;
  } else if (child.counting) {
    ++child.result.system_calls;
  }
}

// The signal that the stopped child is to go on with.
int look_at_stop(pid_t pid, int signal, Child& child) {
  if (signal == kAtSystemCall) {
    look_at_call(pid, child);
    return 0;
  }
  if (!child.result.traced && signal == SIGSTOP) {  // of be_traced()
    child.result.traced = true;
    ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    return 0;
  }
  return signal;
}

}  // namespace

bool be_traced() noexcept {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return false;
  ::raise(SIGSTOP);
  return true;
}

void mark() noexcept { static_cast<void>(::syscall(kMarkNumber)); }

std::map<pid_t, Watched> watch(int count) {
  std::map<pid_t, Child> children;
  std::map<pid_t, Watched> ended;
  while (static_cast<int>(ended.size()) < count) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, __WALL);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) break;
    Child& child = children[pid];
    if (WIFSTOPPED(status)) {
      const long signal = look_at_stop(pid, WSTOPSIG(status), child);
      ::ptrace(PTRACE_SYSCALL, pid, nullptr, signal);
      continue;
    }
    child.result.status = status;
    ended[pid] = child.result;
  }
  return ended;
}

}  // namespace wharf::test
