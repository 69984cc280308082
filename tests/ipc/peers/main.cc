// ipc_peers SETUP (and any other program of peers): runs one peer (../peer.h) at the link that it inherits, and the pipe of cues at number 4.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

#include "wharf/ipc/inherited_link.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

constexpr unsigned kWatchdogSeconds = kSanitized ? 200 : 50;

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
