// Process: a child that is started by exec, and watched through a pidfd.
//
//     SpawnOptions options("/usr/bin/worker");
//     options.arguments = {"worker", "--verbose"};
//     options.fds.push_back({link.get(), 3});
//     StatusOr<std::unique_ptr<Process>> child = Process::spawn(options);
//     StatusOr<ExitStatus> ended = co_await (*child)->wait();
//
// Threads: any for spawn(); the rest is for the thread of the reactor that waits.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

struct SpawnOptions {
  struct Fd {
    int fd;            // borrowed for the call
    int child_number;  // what the child calls it; 0, 1 and 2 may be replaced too
  };

  explicit SpawnOptions(std::string program) : path(std::move(program)) {}

  std::string path;                      // of the executable; not searched for in PATH
  std::vector<std::string> arguments;    // argv, from argv[0] on; empty: the path alone
  std::vector<std::string> environment;  // "NAME=value": added to this process's, or replacing it
  std::vector<Fd> fds;                   // beside 0, 1 and 2 the child has these and no others
};

// How a child ended.
struct ExitStatus {
  int code = 0;    // its exit code, if no signal ended it
  int signal = 0;  // the signal that ended it, or 0

  bool success() const noexcept { return code == 0 && signal == 0; }
  // "exited with code 3", "killed by signal 9 (SIGKILL)".
  std::string text() const;
};

class Process {
 public:
  // Starts the child. It has every signal unblocked and at its default.
  //
  // Errors: NotFound, PermissionDenied, ...  the program cannot be executed; no child was left
  //         InvalidArgument                  a negative fd, or a child number twice
  //         ResourceExhausted                no process, memory or file descriptor
  static StatusOr<std::unique_ptr<Process>> spawn(const SpawnOptions& options);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // A child that still runs is killed (SIGKILL), and waited for: this blocks the thread for as long as
  // the kernel takes to end it. One that may not be killed, because it became another user's, is left.
  ~Process();

  // Only for messages: the number may be another process's once the child has been waited for.
  pid_t pid() const noexcept { return pid_; }
  // Borrowed; readable (POLLIN) once the child has ended.
  int pidfd() const noexcept { return pidfd_.get(); }

  // Waits until the child has ended, and reaps it. Every later call gives the same at once.
  //
  // Errors: Cancelled, DeadlineExceeded  the child is as it was
  // Cancel: honoured.
  coro::Task<StatusOr<ExitStatus>> wait(IoOptions options = {});

  // Errors: NotFound  the child has ended. (A child that has, but is not waited for: OK.)
  Status send_signal(int signal) noexcept;

 private:
  Process(pid_t pid, UniqueFd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}
  StatusOr<ExitStatus> reap();

  const pid_t pid_;
  UniqueFd pidfd_;
  std::optional<ExitStatus> ended_;
};

}  // namespace wharf::runtime
