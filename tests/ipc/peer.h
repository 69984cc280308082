// Peers: functions that run at the other end of a link: in a process of their own, which the program ipc_peers is for,
// in a thread of their own, or in a task of the test's reactor. Tests start them through a PeerEnd (peer_end.h).
//
//     WHARF_PEER(echo) {                                     // in peers/*.cc: a port is open already
//       auto message = co_await peer.port().receive();
//       WANT(message.has_value());
//       ...
//       co_return absl::OkStatus();                          // afterwards the port closes, and no fd may be left
//     }
//     WHARF_RAW_PEER(liar) { ... peer.take_link() ... }      // has the socket, and speaks for itself
//
// A peer that fails says why, in its result, or on stderr and with exit code 1; the test sees it.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {

// The descriptor of the cues in a peer that a test started.
inline constexpr int kCueNumber = 4;

// What the peer's function works with.
class Peer {
 public:
  Peer(const PeerSetup& setup, runtime::UniqueFd link, runtime::UniqueFd cue)
      : setup_(setup), link_(std::move(link)), cue_(std::move(cue)) {}

  const PeerSetup& setup() const noexcept { return setup_; }
  std::uint64_t argument() const noexcept { return setup_.argument; }
  ipc::Port& port() noexcept { return *port_; }
  std::unique_ptr<ipc::Port>& port_slot() noexcept { return port_; }
  runtime::UniqueFd take_link() noexcept { return std::move(link_); }

  // A word beside the link, one way or the other: for tests whose peer must not read, or not yet.
  void cue();
  // False: the test has ended.
  coro::Task<bool> until_cued();
  // The same without a reactor.
  bool wait_until_cued();

 private:
  const PeerSetup setup_;
  runtime::UniqueFd link_;
  runtime::UniqueFd cue_;
  std::unique_ptr<ipc::Port> port_;
};

using PeerFunction = coro::Task<Status> (*)(Peer& peer);

// Registers a function under its name. Static objects only.
class PeerEntry {
 public:
  PeerEntry(const char* called, PeerFunction run, bool with_port);
  static const PeerEntry* find(const char* name);

  const char* name() const noexcept { return name_; }
  PeerFunction function() const noexcept { return function_; }
  bool opens_port() const noexcept { return opens_port_; }

 private:
  const char* const name_;
  const PeerFunction function_;
  const bool opens_port_;
  const PeerEntry* const next_;
};

// Opens the port, if the entry says so, and runs the entry's function.
coro::Task<Status> run_peer(Peer& peer, const PeerEntry& entry);

#define WHARF_PEER(name) WHARF_PEER_ENTRY(name, true)
#define WHARF_RAW_PEER(name) WHARF_PEER_ENTRY(name, false)
#define WHARF_PEER_ENTRY(name, opens_port)                                     \
  static ::wharf::coro::Task<::wharf::Status> name(::wharf::test::Peer& peer); \
  static const ::wharf::test::PeerEntry name##_entry(#name, name, opens_port); \
  static ::wharf::coro::Task<::wharf::Status> name([[maybe_unused]] ::wharf::test::Peer& peer)

inline Status unwanted(const std::string& what, const char* file, int line) {
  return runtime::make_status(StatusCode::kInternal, std::string(file) + ":" + std::to_string(line) + ": " + what);
}

// In a coroutine that returns a Status: await first, then ask.
#define WANT(condition) \
  if (!(condition)) co_return ::wharf::test::unwanted(#condition, __FILE__, __LINE__)
#define WANT_EQ(a, b)                                                         \
  if (const auto& wanted_a = (a); !(wanted_a == (b))) {                       \
    std::ostringstream wanted_text;                                           \
    wanted_text << #a " == " #b ": " << wanted_a << " and " << (b);           \
    co_return ::wharf::test::unwanted(wanted_text.str(), __FILE__, __LINE__); \
  }
#define WANT_OK(status) \
  if (!(status).ok()) co_return ::wharf::test::unwanted((status).ToString(), __FILE__, __LINE__)

}  // namespace wharf::test
