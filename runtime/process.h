// Process: a child that is started by exec, and watched through a pidfd.
//
//     SpawnOptions options("/usr/bin/worker");
//     options.arguments = {"worker", "--verbose"};
//     options.fds.push_back({link.get(), 3});
//     StatusOr<std::unique_ptr<Process>> child = Process::spawn(options);
//     StatusOr<ExitStatus> ended = co_await (*child)->wait();
//
// A child whose output is wanted, and no more: run_process of process_output.h.
//
// Threads: any for spawn(); the rest is for the thread of the reactor that waits.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <csignal>
#include <cstdint>
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

  struct Limit {
    int resource;  // RLIMIT_*; the hard limit cannot be raised without a privilege
    rlim_t soft;
    rlim_t hard;
  };
  enum class Standard : std::uint8_t {
    kInherit,  // this process's, or what `fds` say
    kNull,     // /dev/null
    kPipe,     // a pipe, whose other end the Process has
  };
  enum class Group : std::uint8_t {
    kSame,        // gets what a terminal sends to this process, such as ^C
    kNewGroup,    // a process group of its own
    kNewSession,  // no terminal either
  };

  explicit SpawnOptions(std::string program) : path(std::move(program)) {}

  std::string path;                      // of the executable
  bool search_path = false;              // looked for in PATH, if it holds no '/'
  std::vector<std::string> arguments;    // argv, from argv[0] on; empty: the path alone
  std::vector<std::string> environment;  // "NAME=value": added to this process's, or replacing it
  bool clear_environment = false;        // `environment` is all of it
  std::string directory;                 // its working directory, where a relative path starts; "": as here
  std::vector<Fd> fds;                   // beside 0, 1 and 2 the child has these and no others
  Standard input = Standard::kInherit;
  Standard output = Standard::kInherit;
  Standard errors = Standard::kInherit;
  std::vector<Limit> limits;  // in force before the program starts
  Group group = Group::kSame;
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
  //         InvalidArgument                  a negative fd, a child number twice, or no limit; a zero byte in a text
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
  // SIGKILL, which nothing holds up. Still to be waited for.
  Status kill() noexcept { return send_signal(SIGKILL); }

  // Asks the child to end (SIGTERM), kills it when the deadline has passed, and waits for it.
  //
  // Errors: Cancelled  the task was stopped; the child has been asked, and may run still
  // Cancel: honoured.
  coro::Task<StatusOr<ExitStatus>> terminate(IoOptions options = {});

  // This end of a pipe that SpawnOptions asked for; none if it did not, or once it was taken. Closing the input is the end
  // of the child's. Writing to a child that has gone raises SIGPIPE: ignore that in a program that does.
  UniqueFd take_input() noexcept { return std::move(input_); }
  UniqueFd take_output() noexcept { return std::move(output_); }
  UniqueFd take_errors() noexcept { return std::move(errors_); }

 private:
  Process() noexcept = default;
  StatusOr<ExitStatus> reap();

  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd errors_;
  std::optional<ExitStatus> ended_;
};

}  // namespace wharf::runtime
