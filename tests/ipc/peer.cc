#include "wharf/tests/ipc/peer.h"

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "wharf/runtime/io.h"

namespace wharf::test {
namespace {

const PeerEntry*& first_entry() {
  static const PeerEntry* first = nullptr;
  return first;
}

}  // namespace

PeerEntry::PeerEntry(const char* called, PeerFunction run, bool with_port)
    : name_(called), function_(run), opens_port_(with_port), next_(first_entry()) {
  first_entry() = this;
}

const PeerEntry* PeerEntry::find(const char* name) {
  const PeerEntry* entry = first_entry();
  while (entry != nullptr && std::string_view(entry->name()) != name) entry = entry->next_;
  return entry;
}

void Peer::cue() { static_cast<void>(::send(cue_.get(), "!", 1, MSG_NOSIGNAL)); }

coro::Task<bool> Peer::until_cued() {
  std::byte word{};
  auto count = co_await runtime::recv(cue_.get(), std::span(&word, 1));
  co_return count.ok() && *count == 1;
}

bool Peer::wait_until_cued() {
  char word = 0;
  return ::recv(cue_.get(), &word, 1, 0) == 1;
}

coro::Task<Status> run_peer(Peer& peer, const PeerEntry& entry) {
  if (entry.opens_port()) {
    auto port = co_await ipc::Port::open(peer.take_link(), peer.setup().port);
    WANT_OK(port.status());
    peer.port_slot() = *std::move(port);
    peer.cue();  // PeerEnd::open() waits for it
  }
  Status status = co_await entry.function()(peer);
  peer.port_slot().reset();
  co_return status;
}

}  // namespace wharf::test
