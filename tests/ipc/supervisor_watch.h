// What the tests of the supervisor share.
//
// Threads: the reactor's.
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"
#include "wharf/ipc/supervisor.h"
#include "wharf/tests/ipc/peer_process.h"

namespace wharf::test {

// So many workers that are peers of ipc_peers.
inline ipc::WorkerOptions workers(const PeerSetup& setup, std::size_t count) {
  ipc::WorkerOptions options(program_path("ipc_peers"));
  options.arguments = {"ipc_peers", encode(setup)};
  options.count = count;
  options.port = setup.port;
  return options;
}

// Records what a supervisor tells, and waits for it.
class SupervisorWatch {
 public:
  using Kind = ipc::WorkerEvent::Kind;

  explicit SupervisorWatch(ipc::Supervisor& supervisor) {
    supervisor.on_event([this](const ipc::WorkerEvent& event) {
      events_.emplace_back(event.kind, event.text);
      news_.set();
    });
  }
  std::size_t count(Kind kind) const {
    std::size_t count = 0;
    for (const auto& event : events_) count += event.first == kind ? 1 : 0;
    return count;
  }
  std::string last(Kind kind) const {
    std::string text;
    for (const auto& event : events_) {
      if (event.first == kind) text = event.second;
    }
    return text;
  }
  // The texts of one kind, in order.
  std::vector<std::string> all(Kind kind) const {
    std::vector<std::string> texts;
    for (const auto& event : events_) {
      if (event.first == kind) texts.push_back(event.second);
    }
    return texts;
  }
  coro::Task<void> until(Kind kind, std::size_t wanted) {
    while (count(kind) < wanted) {
      news_.reset();
      bool set = co_await news_.wait();
      if (!set) break;
    }
  }

 private:
  std::vector<std::pair<Kind, std::string>> events_;
  coro::Event news_;
};

inline bool is_running(pid_t pid) { return pid > 0 && ::kill(pid, 0) == 0; }
inline bool no_child_is_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

// A folder of its own, gone when it goes.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/wharf_test_XXXXXX";
    if (::mkdtemp(name) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace wharf::test
