// Peers that hold blocks of the test's arena, and let go of them.
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/ipc/turns.h"

namespace wharf::test {

// Holds one message until it is cued and the test's process sleeps; then it lets go, and holds nothing more.
WHARF_PEER(let_go_when_the_test_sleeps) {
  std::optional<ipc::Message> held = co_await peer.port().receive();
  WANT(held.has_value());
  bool cued = co_await peer.until_cued();
  WANT(cued);
  wait_until_asleep(::getppid());
  held.reset();
  while (auto message = co_await peer.port().receive()) {
  }
  co_return absl::OkStatus();
}

// Answers requests, holds all else; cued, it waits until the test's process sleeps, lets go, and says so by a cue when
// that has been published.
WHARF_PEER(let_go_and_say_so) {
  std::vector<ipc::Message> held;
  const auto serve_until = [](Peer& self, std::vector<ipc::Message>& into, std::uint64_t count) -> coro::Task<Status> {
    while (into.size() < count) {
      auto message = co_await self.port().receive();
      if (!message.has_value()) break;
      if (!message->is_request()) {
        into.push_back(*std::move(message));
        continue;
      }
      into.clear();
      Status sent = co_await message->reply(ipc::Message("settled"));
      WANT(ended_or_ok(sent));
    }
    co_return absl::OkStatus();
  };
  Status served = co_await serve_until(peer, held, 20);
  WANT_OK(served);
  bool cued = co_await peer.until_cued();
  WANT(cued);
  wait_until_asleep(::getppid());
  held.clear();
  co_await next_turn();
  peer.cue();
  served = co_await serve_until(peer, held, UINT64_MAX);
  WANT_OK(served);
  co_return absl::OkStatus();
}

// Holds all that it receives, for ever; requests are answered.
WHARF_PEER(hold_all) {
  std::vector<ipc::Message> held;
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) {
      held.push_back(*std::move(message));
      continue;
    }
    Status sent = co_await message->reply(ipc::Message("held"));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
