// Peers that introduce others, or are introduced.
#include "wharf/tests/ipc/peers/introductions.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/ipc/introduce.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

namespace wharf::test {

// Has a guest beside the test, and introduces the two.
WHARF_PEER(introducer) {
  std::unique_ptr<ipc::Port> guest;
  while (auto message = co_await peer.port().receive()) {
    if (message->type() == kGuest) {
      auto end = message->take_port(0);
      WANT_OK(end.status());
      auto port = co_await ipc::Port::open(*std::move(end), peer.setup().port);
      WANT_OK(port.status());
      guest = *std::move(port);
      continue;
    }
    if (message->type() == kIntroduce) {
      Status met = co_await ipc::introduce(peer.port(), *guest, kMeet, "each other");
      WANT_OK(met);
    } else if (message->type() == kUntilGuestEnds) {
      bool closed = co_await guest->closed();
      WANT(closed);
    }
    const std::string state(guest->status().message());
    Status sent = co_await message->reply(ipc::Message(state));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

namespace {

coro::Task<void> answer_directly(ipc::PortEnd end, ipc::PortOptions options, Status& failure) {
  auto port = co_await ipc::Port::open(std::move(end), options);
  if (!port.ok()) {
    failure = port.status();
    co_return;
  }
  while (auto request = co_await (*port)->receive()) {
    const std::string payload = "directly: " + request->to_string();
    Status sent = co_await request->reply(ipc::Message(payload));
    if (!ended_or_ok(sent)) failure = sent;
  }
}

}  // namespace

// Answers whomever it is introduced to, also when the introducer has gone. Fails if it cannot.
WHARF_PEER(guest) {
  Status failure;
  coro::Scope scope;
  while (auto message = co_await peer.port().receive()) {
    auto end = message->take_port(0);
    if (end.ok()) {
      scope.spawn(answer_directly(*std::move(end), peer.setup().port, failure));
    } else {
      failure = end.status();
    }
  }
  co_await scope.join();
  WANT_OK(failure);
  co_return absl::OkStatus();
}

// Sends introductions that are none.
WHARF_PEER(introduce_badly) {
  for (std::uint64_t kind = 0; kind < kWrongIntroductions; ++kind) {
    ipc::Message message(kMeet, "meet nobody");
    int fds[2] = {-1, -1};
    switch (kind) {
      case 0: break;  // too short: no descriptor at all
      case 1: message.attach(numbered_file(1)); break;
      case 2: WANT(::pipe(fds) == 0); break;
      case 3: WANT(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0); break;
      case 4: WANT(::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0); break;
      default: fds[0] = ::socket(AF_INET, SOCK_STREAM, 0); break;
    }
    const runtime::UniqueFd other(fds[1]);
    if (fds[0] >= 0) message.attach(runtime::UniqueFd(fds[0]));
    Status sent = co_await peer.port().send(std::move(message));
    WANT_OK(sent);
  }
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  co_return absl::OkStatus();
}

// Tells the test of its link to somebody else, and dies before it tells him.
WHARF_PEER(introduce_and_die) {
  auto ends = ipc::Port::end_pair();
  WANT_OK(ends.status());
  ipc::Message message(kMeet);
  message.attach(std::move(ends->first));
  Status sent = co_await peer.port().send(std::move(message));
  WANT_OK(sent);
  auto request = co_await peer.port().receive();
  WANT(request.has_value());
  ::raise(SIGKILL);
  co_return absl::OkStatus();
}

// Sends two ends of two links and a file between them, and keeps the others.
WHARF_PEER(introduce_twice) {
  auto first = ipc::Port::end_pair();
  auto second = ipc::Port::end_pair();
  WANT_OK(first.status());
  WANT_OK(second.status());
  ipc::Message message(kMeet);
  message.attach(std::move(first->first));
  message.attach(numbered_file(7));
  message.attach(std::move(second->first));
  Status sent = co_await peer.port().send(std::move(message));
  WANT_OK(sent);
  Status failure;
  coro::Scope scope;
  scope.spawn(answer_directly(std::move(first->second), peer.setup().port, failure));
  scope.spawn(answer_directly(std::move(second->second), peer.setup().port, failure));
  co_await scope.join();
  WANT_OK(failure);
  co_return absl::OkStatus();
}

}  // namespace wharf::test
