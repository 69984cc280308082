// PeerEnd: a peer (peer.h) that a test has started, wherever it runs, and the test's end of the link to it.
//
//     std::unique_ptr<PeerEnd> peer = start_peer(Place::kThread, peer_setup("echo"));
//     auto port = co_await peer->open({});
//     ...
//     co_await peer->join();
//
// Threads: the test's reactor's.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {

enum class Place {
  kProcess,  // of its own
  kThread,   // of the test's process, with a reactor of its own
  kTask,     // of the test's reactor
};

class PeerEnd {
 public:
  PeerEnd(const PeerEnd&) = delete;
  PeerEnd& operator=(const PeerEnd&) = delete;
  virtual ~PeerEnd() = default;

  const runtime::UniqueFd& link() const noexcept { return link_; }
  runtime::UniqueFd take_link() noexcept { return std::move(link_); }

  // Opens the port to a WHARF_PEER, and waits until the peer has done so too. Null, and the test has failed, if it cannot.
  coro::Task<std::unique_ptr<ipc::Port>> open(ipc::PortOptions options);

  // A word beside the link, one way or the other: see Peer.
  void cue();
  coro::Task<void> until_cued();
  // The word itself; nothing once the peer has ended. What it said before it died is still there.
  coro::Task<std::optional<char>> next_cue();

  // Waits for the end of a peer that is to end by itself, and expects that it found nothing wrong.
  virtual coro::Task<void> join() = 0;

 protected:
  PeerEnd() = default;
  // Each makes a pair of sockets, keeps this side's, and gives the peer's.
  runtime::UniqueFd make_link();
  runtime::UniqueFd make_cue();

 private:
  runtime::UniqueFd link_;
  runtime::UniqueFd cue_;
};

std::unique_ptr<PeerEnd> start_peer(Place place, const PeerSetup& setup);

}  // namespace wharf::test
