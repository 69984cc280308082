#include "wharf/runtime/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>
#include <string_view>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {
namespace {

// What posix_spawn does in the child before exec.
class FileActions {
 public:
  FileActions() { WHARF_CHECK_EQ(posix_spawn_file_actions_init(&actions_), 0); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

  // Gives the child `fds` under their numbers, and 0, 1 and 2, and nothing else. Gives 0, or minus the
  // errno.
  int give(const std::vector<SpawnOptions::Fd>& fds) {
    std::set<int> numbers{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    for (const SpawnOptions::Fd& entry : fds) numbers.insert(entry.child_number);
    const int end = *numbers.rbegin() + 1;
    for (const SpawnOptions::Fd& entry : fds) {
      // A copy above all numbers, so that one dup2 does not overwrite what the next one needs.
      const int copy = sys::fcntl(entry.fd, F_DUPFD_CLOEXEC, end);
      if (copy < 0) return copy;
      copies_.emplace_back(copy);
      posix_spawn_file_actions_adddup2(&actions_, copy, entry.child_number);
    }
    for (int number = 0; number < end; ++number) {
      if (!numbers.contains(number)) posix_spawn_file_actions_addclose(&actions_, number);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions_, end);
    return 0;
  }

 private:
  posix_spawn_file_actions_t actions_;
  std::vector<UniqueFd> copies_;
};

// Every signal unblocked and at its default.
class Attributes {
 public:
  Attributes() {
    WHARF_CHECK_EQ(posix_spawnattr_init(&attributes_), 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const noexcept { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// "NAME=", of "NAME=value".
std::string_view name_of(std::string_view variable) noexcept {
  return variable.substr(0, variable.find('=') + 1);
}

// This process's environment, with additions; the pointers live as long as both.
std::vector<char*> merge_environment(const std::vector<std::string>& additions) {
  std::vector<char*> merged;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const bool replaced = std::any_of(additions.begin(), additions.end(), [&](const auto& added) {
      return name_of(added) == name_of(*variable);
    });
    if (!replaced) merged.push_back(*variable);
  }
  for (const std::string& added : additions) merged.push_back(const_cast<char*>(added.c_str()));
  merged.push_back(nullptr);
  return merged;
}

std::vector<char*> make_argv(const SpawnOptions& options) {
  std::vector<char*> argv;
  argv.reserve(options.arguments.size() + 2);
  for (const std::string& argument : options.arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  if (argv.empty()) argv.push_back(const_cast<char*>(options.path.c_str()));
  argv.push_back(nullptr);
  return argv;
}

Status check_fds(const std::vector<SpawnOptions::Fd>& fds) {
  std::set<int> numbers;
  for (const SpawnOptions::Fd& entry : fds) {
    if (entry.fd < 0 || entry.child_number < 0 || entry.child_number > 1023 ||
        !numbers.insert(entry.child_number).second) {
      return make_status(StatusCode::kInvalidArgument,
                         "spawn: fd " + std::to_string(entry.fd) + " as number " +
                             std::to_string(entry.child_number) +
                             " of the child: negative, above 1023, or there twice");
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return "exited with code " + std::to_string(code);
  const char* name = sigabbrev_np(signal);
  return "killed by signal " + std::to_string(signal) +
         (name != nullptr ? std::string(" (SIG") + name + ")" : "");
}

StatusOr<std::unique_ptr<Process>> Process::spawn(const SpawnOptions& options) {
  if (Status fds = check_fds(options.fds); !fds.ok()) return fds;
  FileActions actions;
  if (const int given = actions.give(options.fds); given < 0) {
    return errno_status(-given, "spawn " + options.path);
  }
  const Attributes attributes;
  const std::vector<char*> argv = make_argv(options);
  const std::vector<char*> environment = merge_environment(options.environment);
  pid_t pid = 0;
  const int started = sys::posix_spawn(&pid, options.path.c_str(), actions.get(), attributes.get(),
                                       argv.data(), environment.data());
  if (started < 0) return errno_status(-started, "spawn " + options.path);
  const int pidfd = sys::pidfd_open(pid, 0);
  if (pidfd < 0) {
    sys::kill(pid, SIGKILL);
    siginfo_t info;
    sys::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
    return errno_status(-pidfd, "spawn " + options.path + ": pidfd_open");
  }
  return std::unique_ptr<Process>(new Process(pid, UniqueFd(pidfd)));
}

Process::~Process() {
  if (ended_.has_value()) return;
  const int sent = sys::pidfd_send_signal(pidfd_.get(), SIGKILL);
  if (sent == 0 || sent == -ESRCH) static_cast<void>(reap());
}

coro::Task<StatusOr<ExitStatus>> Process::wait(IoOptions options) {
  if (!ended_.has_value()) {
    StatusOr<std::uint32_t> readable = co_await poll(pidfd_.get(), POLLIN, options);
    if (!readable.ok()) co_return readable.status();
  }
  co_return reap();
}

Status Process::send_signal(int signal) noexcept {
  const int sent = sys::pidfd_send_signal(pidfd_.get(), signal);
  return errno_status(sent < 0 ? -sent : 0, "send_signal");
}

StatusOr<ExitStatus> Process::reap() {
  if (ended_.has_value()) return *ended_;
  siginfo_t info{};
  const int waited = sys::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
  if (waited < 0) return errno_status(-waited, "wait for a child");
  const bool exited = info.si_code == CLD_EXITED;
  ended_ = ExitStatus{.code = exited ? info.si_status : 0, .signal = exited ? 0 : info.si_status};
  return *ended_;
}

}  // namespace wharf::runtime
