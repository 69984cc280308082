#include "wharf/tests/ipc/peer_end.h"

#include <sys/socket.h>

#include <cstddef>
#include <cstdlib>
#include <span>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/tests/ipc/elsewhere.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peer_process.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::test {
namespace {

// A peer that runs in this process.
coro::Task<void> run_at(Peer& peer) {
  const PinnedTo pinned(peer.setup().cpu);
  const PeerEntry* entry = PeerEntry::find(peer.setup().name);
  CO_ASSERT_TRUE(entry != nullptr);
  Status status = co_await run_peer(peer, *entry);
  EXPECT_TRUE(status.ok()) << "peer " << entry->name() << ": " << status;
  peer.take_link().reset();
}

class PeerThread final : public PeerEnd {
 public:
  explicit PeerThread(const PeerSetup& setup)
      : peer_(setup, make_link(), make_cue()), thread_(run_at(peer_), {.spin_ns = setup.spin_ns}) {}
  coro::Task<void> join() override { return thread_.join(); }

 private:
  Peer peer_;
  Elsewhere thread_;
};

class PeerTask final : public PeerEnd {
 public:
  explicit PeerTask(const PeerSetup& setup) : peer_(setup, make_link(), make_cue()) { scope_.spawn(run_at(peer_)); }
  coro::Task<void> join() override { co_await scope_.join(); }

 private:
  Peer peer_;
  coro::Scope scope_;
};

}  // namespace

runtime::UniqueFd PeerEnd::make_link() {
  auto ends = ipc::Port::end_pair();
  EXPECT_TRUE(ends.ok()) << ends.status();
  if (!ends.ok()) std::abort();
  link_ = ends->first.take_socket();
  return ends->second.take_socket();
}

runtime::UniqueFd PeerEnd::make_cue() {
  int cues[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, cues), 0);
  cue_.reset(cues[0]);
  return runtime::UniqueFd(cues[1]);
}

coro::Task<std::unique_ptr<ipc::Port>> PeerEnd::open(ipc::PortOptions options) {
  auto port = co_await ipc::Port::open(take_link(), options);
  EXPECT_TRUE(port.ok()) << port.status();
  if (!port.ok()) co_return nullptr;
  co_await until_cued();
  co_return *std::move(port);
}

void PeerEnd::cue() { EXPECT_EQ(::send(cue_.get(), "!", 1, MSG_NOSIGNAL), 1); }

coro::Task<std::optional<char>> PeerEnd::next_cue() {
  std::byte word{};
  auto count = co_await runtime::recv(cue_.get(), std::span(&word, 1));
  if (!count.ok() || *count != 1) co_return std::nullopt;
  co_return static_cast<char>(word);
}

coro::Task<void> PeerEnd::until_cued() {
  const std::optional<char> word = co_await next_cue();
  EXPECT_TRUE(word.has_value()) << "the peer has ended";
}

std::unique_ptr<PeerEnd> start_peer(Place place, const PeerSetup& setup) {
  switch (place) {
    case Place::kProcess: return std::make_unique<PeerProcess>(setup);
    case Place::kThread: return std::make_unique<PeerThread>(setup);
    case Place::kTask: return std::make_unique<PeerTask>(setup);
  }
  return nullptr;
}

}  // namespace wharf::test
