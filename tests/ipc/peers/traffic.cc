// Peers for the traffic of order.h.
#include "wharf/tests/ipc/traffic.h"

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "wharf/coro/when_all.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/ipc/turns.h"

namespace wharf::test {

// Sends and receives `argument` messages; then receives the end.
WHARF_PEER(order) {
  auto [sent, received] = co_await coro::when_all(send_in_order(peer.port(), peer.argument(), 2),
                                                  receive_in_order(peer.port(), peer.argument(), 1));
  WANT_OK(sent);
  WANT_OK(received);
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  co_return absl::OkStatus();
}

// Once it is cued, it waits until the test's process sleeps; then it receives everything.
WHARF_PEER(read_when_the_test_sleeps) {
  bool cued = co_await peer.until_cued();
  WANT(cued);
  wait_until_asleep(::getppid());
  while (auto message = co_await peer.port().receive()) {
  }
  co_return absl::OkStatus();
}

// Sends twenty messages, of more and more bytes, with descriptors; says so by a cue, and waits to be killed. With an
// argument it waits for a cue before.
WHARF_PEER(send_twenty) {
  if (peer.argument() != 0) {
    bool cued = co_await peer.until_cued();
    WANT(cued);
  }
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::string payload = pattern(i * 300, i);
    ipc::Message message(static_cast<std::uint32_t>(i), payload);
    for (std::uint64_t fd = 0; fd < i % 3; ++fd) message.attach(numbered_file(i));
    Status sent = co_await peer.port().send(std::move(message));
    WANT_OK(sent);
  }
  co_await next_turn();
  peer.cue();
  bool cued = co_await peer.until_cued();
  static_cast<void>(cued);
  co_return absl::OkStatus();
}

// Receives to the end of the other side's sending; then it tells how many messages there were.
WHARF_PEER(count_then_tell) {
  std::uint64_t count = 0;
  while (auto message = co_await peer.port().receive()) ++count;
  Status sent = co_await peer.port().send(ipc::Message(bytes_of(count)));
  WANT_OK(sent);
  co_return absl::OkStatus();
}

// Sends what the test will not read, and receives nothing more until the test has closed its end.
WHARF_PEER(read_forty_after_the_close) {
  auto first = co_await peer.port().receive();
  WANT(first.has_value());
  ipc::Message unread("unread");
  unread.attach(numbered_file(0));
  Status sent = co_await peer.port().send(std::move(unread));
  WANT_OK(sent);
  co_await next_turn();
  peer.cue();
  bool cued = co_await peer.until_cued();
  WANT(cued);
  for (std::uint64_t i = 0; i < 40; ++i) {
    auto message = co_await peer.port().receive();
    WANT(message.has_value());
    WANT_EQ(value_of<std::uint64_t>(message->to_string()), i);
    WANT_EQ(message->fd_count(), i % 4 == 0 ? 1u : 0u);
    WANT(i % 4 != 0 || number_in(message->take_fd(0)) == i);
  }
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  bool closed = co_await peer.port().closed();
  WANT(closed);
  WANT_EQ(peer.port().status().message(), "the peer has closed the port");
  co_return absl::OkStatus();
}

// Receives one message, and closes its port with it in its hands.
WHARF_PEER(close_unanswered) {
  auto request = co_await peer.port().receive();
  WANT(request.has_value());
  peer.port().close();
  co_return absl::OkStatus();
}

// Sends without end.
WHARF_PEER(flood) {
  Status sent;
  while (sent.ok()) sent = co_await peer.port().send(ipc::Message("more"));
  WANT(ended_or_ok(sent));
  co_return absl::OkStatus();
}

// Calls twenty times, each time when the test's process sleeps.
WHARF_PEER(call_when_the_test_sleeps) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    wait_until_asleep(::getppid());
    const std::string payload(bytes_of(i));
    auto reply = co_await peer.port().call(ipc::Message(payload));
    WANT_OK(reply.status());
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
