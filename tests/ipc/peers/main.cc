// ipc_peers SETUP: runs one peer (../peer.h) at the link that it inherits, and the pipe of cues at number 4.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wharf/ipc/inherited_link.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

constexpr int kCueNumber = 4;
constexpr unsigned kWatchdogSeconds = kSanitized ? 200 : 50;

const PeerEntry*& first_entry() {
  static const PeerEntry* first = nullptr;
  return first;
}

coro::Task<Status> run_peer(Peer& peer, const PeerEntry& entry) {
  if (entry.opens_port()) {
    auto port = co_await ipc::Port::open(peer.take_link(), peer.setup().port);
    WANT_OK(port.status());
    peer.port_slot() = *std::move(port);
    peer.cue();  // PeerProcess::open() waits for it
  }
  Status status = co_await entry.function()(peer);
  peer.port_slot().reset();
  co_return status;
}

std::string text_of(const std::map<int, std::string>& fds) {
  std::string text;
  for (const auto& [fd, target] : fds) text += " " + std::to_string(fd) + "=" + target;
  return text;
}

Status run(const PeerSetup& setup, const PeerEntry& entry) {
  const PinnedTo pinned(setup.cpu);
  const bool has_cue = ::fcntl(kCueNumber, F_SETFD, FD_CLOEXEC) == 0;  // a supervisor gives none
  auto reactor = runtime::Reactor::create({.spin_ns = setup.spin_ns});
  if (!reactor.ok()) return reactor.status();
  auto link = ipc::take_inherited_link();
  if (!link.ok()) return link.status();
  Peer peer(setup, *std::move(link), runtime::UniqueFd(has_cue ? kCueNumber : -1));
  std::map<int, std::string> fds_before = open_fds();
  fds_before.erase(3);  // the link, which is the port's
  Status status = (*reactor)->run(run_peer(peer, entry));
  if (!status.ok()) return status;
  peer.take_link().reset();
  const std::map<int, std::string> fds = open_fds();
  if (fds == fds_before) return absl::OkStatus();
  return absl::InternalError("descriptors before:" + text_of(fds_before) + ", and after:" + text_of(fds));
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

}  // namespace wharf::test

int main(int argc, char** argv) {
  using namespace wharf::test;  // NOLINT(google-build-using-namespace)
  ::alarm(kWatchdogSeconds);
  const PeerSetup setup = decode(argc > 1 ? argv[1] : "");
  if (!setup.orphan) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const PeerEntry* entry = PeerEntry::find(setup.name);
  if (entry == nullptr) {
    std::fprintf(stderr, "ipc_peers: no peer is called '%s'\n", setup.name);
    return 2;
  }
  const wharf::Status status = run(setup, *entry);
  if (status.ok()) return 0;
  std::fprintf(stderr, "peer %s: %s\n", setup.name, status.ToString().c_str());
  return 1;
}
