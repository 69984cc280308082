// Supervisor: starts worker processes, each with a port to this one, and keeps them running.
//
//     ipc::WorkerOptions options("/usr/lib/app/worker");
//     options.count = 2;
//     ipc::Supervisor supervisor(options);
//     Status started = co_await supervisor.start();           // every worker is up, or the first failure
//     ...
//     auto port = supervisor.workers()[0].port;               // null while that worker is down
//     ...
//     co_await supervisor.stop();                             // workers see the end, and have time to finish
//
// A worker is started by exec and inherits its link (inherited_link.h); its death is noticed through its pidfd and the
// socket's end, whichever comes first. It is started again at once if it had been up for `healthy_after_ms`; otherwise
// after a delay that doubles, so that a worker which cannot start costs little.
//
// Threads: the reactor's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/ipc/options.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/process.h"

namespace wharf::ipc {

struct WorkerOptions {
  explicit WorkerOptions(std::string program) : path(std::move(program)) {}

  std::string path;                      // of the executable; not searched for in PATH
  std::vector<std::string> arguments;    // argv, from argv[0] on; empty: the path alone
  std::vector<std::string> environment;  // "NAME=value": added to this process's, or replacing it
  std::size_t count = 1;
  PortOptions port;

  std::int64_t backoff_first_ms = 100;    // before the first restart of a worker that was not up for long
  std::int64_t backoff_max_ms = 5'000;    // what the doubling ends at
  std::int64_t healthy_after_ms = 1'000;  // up for this long: restarted at once
  std::int64_t drain_ms = 5'000;          // that a worker has to end by itself when it is stopped; then SIGKILL
};

// One place for a worker. What lives in it changes with every start.
struct Worker {
  std::size_t index = 0;
  pid_t pid = 0;               // 0 while no process runs
  std::shared_ptr<Port> port;  // null while the worker is not up
  std::uint64_t start_count = 0;
  std::int64_t died_ns = 0;   // when its last process was found dead; 0: never
  std::int64_t ready_ns = 0;  // when its last process came up
};

struct WorkerEvent {
  enum class Kind {
    kReady,   // the port is open
    kEnded,   // the process has ended; the port, if there was one, is closed
    kFailed,  // it could not be started, or did not get as far as opening its port
  };
  Kind kind;
  const Worker& worker;
  std::string text;  // one line: what happened, and what will be done
};

class Supervisor {
 public:
  explicit Supervisor(WorkerOptions options);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  // stop() must have been awaited, if start() was.
  ~Supervisor();

  // Called for every event, on the reactor; it may not block. Set it before start().
  void on_event(std::function<void(const WorkerEvent&)> observer) { observer_ = std::move(observer); }

  // Starts every worker; done when each is up. From then on they are restarted until stop().
  //
  // Errors: the first worker that could not be started: all are stopped again. The message names the program.
  //         Cancelled: another task has called stop() meanwhile
  // Cancel: honoured: as an error.
  coro::Task<Status> start();

  // Closes the ports, gives the workers drain_ms to end, kills the rest, and joins everything; a start() that is under
  // way ends, too. One task at a time.
  //
  // Cancel: cuts drain_ms short; everything is joined all the same.
  coro::Task<void> stop();

  std::span<Worker> workers() noexcept { return workers_; }

 private:
  coro::Task<void> join_all();
  coro::Task<void> keep(Worker& worker);
  coro::Task<std::string> run_once(Worker& worker);
  coro::Task<std::string> end_process(runtime::Process& process, std::int64_t grace_ms);
  void tell(WorkerEvent::Kind kind, const Worker& worker, std::string text);
  std::int64_t backoff_ms(std::size_t failure_count) const noexcept;

  // For a process that has failed to open its link: it is ending, or is something else.
  static constexpr std::int64_t kFailedGraceMs = 200;
  // For the end of a dead worker's link, which comes at once unless a process of the worker's own keeps it open.
  static constexpr std::int64_t kLinkEndMs = 100;

  const WorkerOptions options_;
  std::vector<Worker> workers_;
  std::function<void(const WorkerEvent&)> observer_;
  std::unique_ptr<coro::Scope> scope_;  // lives from start() to stop()
  coro::Event settled_;                 // every worker was up at once, or one has failed to come up
  coro::Event stop_requested_;
  coro::Event start_ended_;  // set but while start() is under way
  Status first_failure_;
  bool started_ = false;
};

}  // namespace wharf::ipc
