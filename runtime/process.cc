#include "wharf/runtime/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string_view>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/limited_spawn.h"

namespace wharf::runtime {
namespace {

// Which descriptors the child gets: `fds` under their numbers, and 0, 1 and 2, and nothing else.
class ChildFds {
 public:
  // Gives 0, or minus the errno.
  int prepare(const std::vector<SpawnOptions::Fd>& fds) {
    std::set<int> numbers{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    for (const SpawnOptions::Fd& entry : fds) numbers.insert(entry.child_number);
    end_ = *numbers.rbegin() + 1;
    for (const SpawnOptions::Fd& entry : fds) {
      // A copy above all numbers, so that one dup2 does not overwrite what the next one needs.
      const int copy = sys::fcntl(entry.fd, F_DUPFD_CLOEXEC, end_);
      if (copy < 0) return copy;
      UniqueFd owned(copy);
      copies_.push_back(std::move(owned));
      moves_.push_back({copy, entry.child_number});
    }
    for (int number = 0; number < end_; ++number) {
      if (!numbers.contains(number)) closed_.push_back(number);
    }
    return 0;
  }

  const std::vector<detail::FdMove>& moves() const noexcept { return moves_; }
  const std::vector<int>& closed() const noexcept { return closed_; }
  int end() const noexcept { return end_; }  // from here on all are closed

 private:
  int end_ = 0;
  std::vector<UniqueFd> copies_;
  std::vector<detail::FdMove> moves_;
  std::vector<int> closed_;
};

// What posix_spawn does in the child before exec.
class FileActions {
 public:
  FileActions(const ChildFds& fds, const std::string& directory) {
    WHARF_CHECK_EQ(posix_spawn_file_actions_init(&actions_), 0);
    if (!directory.empty()) {
      note(posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()));
    }
    for (const detail::FdMove& move : fds.moves()) {
      note(posix_spawn_file_actions_adddup2(&actions_, move.fd, move.number));
    }
    for (const int number : fds.closed()) {
      note(posix_spawn_file_actions_addclose(&actions_, number));
    }
    note(posix_spawn_file_actions_addclosefrom_np(&actions_, fds.end()));
  }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }
  // 0, or minus the errno: one of the actions is missing.
  int result() const noexcept { return -error_; }

 private:
  void note(int error) noexcept {
    if (error_ == 0) error_ = error;
  }

  posix_spawn_file_actions_t actions_;
  int error_ = 0;
};

// Every signal unblocked and at its default.
class Attributes {
 public:
  explicit Attributes(SpawnOptions::Group group) {
    WHARF_CHECK_EQ(posix_spawnattr_init(&attributes_), 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (group == SpawnOptions::Group::kNewGroup) flags |= POSIX_SPAWN_SETPGROUP;  // to 0: its own
    if (group == SpawnOptions::Group::kNewSession) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const noexcept { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// "NAME=", of "NAME=value".
std::string_view name_of(std::string_view variable) noexcept { return variable.substr(0, variable.find('=') + 1); }

// This process's environment, unless it is to be cleared, with additions; the pointers live as long as both.
std::vector<char*> merge_environment(const std::vector<std::string>& additions, bool clear) {
  std::vector<char*> merged;
  for (char** variable = clear ? nullptr : environ; variable != nullptr && *variable != nullptr; ++variable) {
    const bool replaced = std::any_of(additions.begin(), additions.end(),
                                      [&](const auto& added) { return name_of(added) == name_of(*variable); });
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
      return make_status(StatusCode::kInvalidArgument, "spawn: fd " + std::to_string(entry.fd) + " as number " +
                                                           std::to_string(entry.child_number) +
                                                           " of the child: negative, above 1023, or there twice");
    }
  }
  return absl::OkStatus();
}

// Where the kernel would end them there is to be nothing more.
Status check_texts(const SpawnOptions& options) {
  const auto whole = [](const std::string& text) { return text.find('\0') == std::string::npos; };
  if (whole(options.path) && whole(options.directory) &&
      std::all_of(options.arguments.begin(), options.arguments.end(), whole) &&
      std::all_of(options.environment.begin(), options.environment.end(), whole)) {
    return absl::OkStatus();
  }
  return make_status(StatusCode::kInvalidArgument,
                     "spawn: a zero byte in the path, an argument, the environment or the directory");
}

// The first directory of PATH that holds it; the name itself if none does.
std::string find_program(const std::string& name) {
  const char* const variable = ::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    const std::string path = directory.empty() ? "./" + name : std::string(directory) + "/" + name;
    const UniqueFd file(sys::open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat status;
    if (file && sys::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0) {
      return path;
    }
  }
  return name;
}

// The ends of the child's standard descriptors, until it has started.
struct StandardEnds {
  // Adds what the child gets as `number` to `fds`. `ours`: this process's end of a pipe. Gives 0, or minus the errno.
  int add(SpawnOptions::Standard kind, int number, UniqueFd& ours, std::vector<SpawnOptions::Fd>& fds) {
    UniqueFd child;
    if (kind == SpawnOptions::Standard::kInherit) return 0;
    if (kind == SpawnOptions::Standard::kNull) {
      const int null = sys::open("/dev/null", O_RDWR | O_CLOEXEC);
      if (null < 0) return null;
      child.reset(null);
    } else {
      int pipe[2] = {-1, -1};
      const int made = sys::pipe2(pipe, O_CLOEXEC);
      if (made < 0) return made;
      const bool reads = number == STDIN_FILENO;
      child.reset(pipe[reads ? 0 : 1]);
      ours.reset(pipe[reads ? 1 : 0]);
    }
    fds.push_back({child.get(), number});
    children.push_back(std::move(child));
    return 0;
  }

  std::vector<UniqueFd> children;
  UniqueFd input;
  UniqueFd output;
  UniqueFd errors;
};

int start(const SpawnOptions& options, const std::string& path, const ChildFds& fds, pid_t& pid) {
  const std::vector<char*> argv = make_argv(options);
  const std::vector<char*> environment = merge_environment(options.environment, options.clear_environment);
  if (!options.limits.empty()) {
    const detail::LimitedSpawn spawn{
        .path = path.c_str(),
        .argv = argv.data(),
        .environment = environment.data(),
        .directory = options.directory.empty() ? nullptr : options.directory.c_str(),
        .moves = fds.moves(),
        .closed = fds.closed(),
        .close_from = fds.end(),
        .limits = options.limits,
        .group = options.group,
    };
    return detail::limited_spawn(spawn, pid);
  }
  const FileActions actions(fds, options.directory);
  if (actions.result() < 0) return actions.result();
  const Attributes attributes(options.group);
  return sys::posix_spawn(&pid, path.c_str(), actions.get(), attributes.get(), argv.data(), environment.data());
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return "exited with code " + std::to_string(code);
  const char* name = sigabbrev_np(signal);
  return "killed by signal " + std::to_string(signal) + (name != nullptr ? std::string(" (SIG") + name + ")" : "");
}

StatusOr<std::unique_ptr<Process>> Process::spawn(const SpawnOptions& options) {
  if (Status checked = check_texts(options); !checked.ok()) return checked;
  const std::string name = "spawn " + options.path;
  std::vector<SpawnOptions::Fd> fds = options.fds;
  StandardEnds ends;
  int result = ends.add(options.input, STDIN_FILENO, ends.input, fds);
  if (result == 0) result = ends.add(options.output, STDOUT_FILENO, ends.output, fds);
  if (result == 0) result = ends.add(options.errors, STDERR_FILENO, ends.errors, fds);
  if (result < 0) return errno_status(-result, name);
  if (Status checked = check_fds(fds); !checked.ok()) return checked;
  ChildFds child_fds;
  result = child_fds.prepare(fds);
  if (result < 0) return errno_status(-result, name);
  const bool search = options.search_path && options.path.find('/') == std::string::npos;
  // Made before there is a child: want of memory must not leave one behind.
  std::unique_ptr<Process> process(new Process);
  process->input_ = std::move(ends.input);
  process->output_ = std::move(ends.output);
  process->errors_ = std::move(ends.errors);
  pid_t& pid = process->pid_;
  result = start(options, search ? find_program(options.path) : options.path, child_fds, pid);
  if (result < 0) return errno_status(-result, name);
  const int pidfd = sys::pidfd_open(pid, 0);
  if (pidfd < 0) {
    sys::kill(pid, SIGKILL);
    siginfo_t info;
    sys::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED);
    return errno_status(-pidfd, "spawn " + options.path + ": pidfd_open");
  }
  process->pidfd_.reset(pidfd);
  return process;
}

Process::~Process() {
  if (!pidfd_ || ended_.has_value()) return;
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

coro::Task<StatusOr<ExitStatus>> Process::terminate(IoOptions options) {
  Status asked = send_signal(SIGTERM);
  if (!asked.ok() && asked.code() != StatusCode::kNotFound) co_return asked;
  StatusOr<ExitStatus> ended = co_await wait(options);
  if (ended.status().code() != StatusCode::kDeadlineExceeded) co_return ended;
  asked = kill();
  if (!asked.ok() && asked.code() != StatusCode::kNotFound) co_return asked;
  StatusOr<ExitStatus> killed = co_await wait();
  co_return killed;
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
