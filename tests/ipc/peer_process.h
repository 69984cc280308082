// PeerProcess: a peer (peer.h) that a test has started, and the test's end of the link to it.
//
//     PeerProcess peer(peer_setup("echo"));
//     auto port = co_await peer.open({});
//
// Threads: the reactor's.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/process.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {

// The path of a program that the build made for the tests.
std::string program_path(const std::string& name);

class PeerProcess {
 public:
  explicit PeerProcess(const PeerSetup& setup);
  // Gives the peer this end of a link instead of one of its own; it is borrowed.
  PeerProcess(const PeerSetup& setup, int link);
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;
  ~PeerProcess() = default;

  const runtime::UniqueFd& link() const noexcept { return link_; }
  runtime::UniqueFd take_link() noexcept { return std::move(link_); }
  runtime::Process& process() noexcept { return *process_; }
  pid_t pid() const noexcept { return process_->pid(); }

  // Opens the port to a WHARF_PEER, and waits until the peer has done so too. Null, and the test has failed, if it cannot.
  coro::Task<std::unique_ptr<ipc::Port>> open(ipc::PortOptions options);

  // A word beside the link, one way or the other: see Peer.
  void cue();
  coro::Task<void> until_cued();

  // With SIGKILL, until it is dead and its descriptors are closed.
  coro::Task<void> kill();
  // Waits for the end of a peer that is to end by itself, and expects that it found nothing wrong. OK after kill().
  coro::Task<void> join();

 private:
  void start(const PeerSetup& setup, int link);

  runtime::UniqueFd link_;
  runtime::UniqueFd cue_;
  std::unique_ptr<runtime::Process> process_;
  bool killed_ = false;
};

}  // namespace wharf::test
