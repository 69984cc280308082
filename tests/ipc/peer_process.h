// PeerProcess: a peer (peer.h) in a process of its own, which can be killed and stopped.
//
//     PeerProcess peer(peer_setup("echo"));
//     auto port = co_await peer.open({});
//
// Threads: the reactor's.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "wharf/coro/task.h"
#include "wharf/runtime/process.h"
#include "wharf/tests/ipc/peer_end.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {

// The path of a program that the build made for the tests.
std::string program_path(const std::string& name);

class PeerProcess final : public PeerEnd {
 public:
  explicit PeerProcess(const PeerSetup& setup);
  // Gives the peer this end of a link instead of one of its own; it is borrowed.
  PeerProcess(const PeerSetup& setup, int link);

  runtime::Process& process() noexcept { return *process_; }
  pid_t pid() const noexcept { return process_->pid(); }

  // With SIGKILL, until it is dead and its descriptors are closed.
  coro::Task<void> kill();
  // OK after kill().
  coro::Task<void> join() override;

 private:
  void start(const PeerSetup& setup, int link);

  std::unique_ptr<runtime::Process> process_;
  bool killed_ = false;
};

}  // namespace wharf::test
