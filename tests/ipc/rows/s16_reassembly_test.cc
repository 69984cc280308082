// S16, D31, D32: messages that arrive in fragments: in any mixture, bounded in number, bytes and age. What breaks the
// format is in socket_lies.cc.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

coro::Task<void> hear_half_a_message(PeerSetup setup) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);

  auto whole = co_await port->receive();
  CO_ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->to_string(), "whole") << "it came after the beginning of the other";
  auto none = co_await port->receive();

  EXPECT_FALSE(none.has_value());
  EXPECT_EQ(port->status().code(), StatusCode::kDeadlineExceeded) << port->status();
  port.reset();
  co_await peer.join();
}

TEST_F(PortTest, S16_D31_AMessageThatIsNeverFinishedEndsTheLink) {
  ipc::PortOptions options;
  options.shared_memory = false;
  options.assembly_timeout_ms = 500;  // the peer may be held up between two packets

  run(hear_half_a_message(peer_setup("stop_halfway", options)));
}

coro::Task<void> send_one(ipc::Port& port, std::uint64_t seed, std::vector<bool>& right) {
  const std::string payload = pattern(70'000 + seed * 1000, seed);
  std::string back = co_await ask(port, ipc::Message(payload));
  right[seed] = back == payload;
}

coro::Task<void> mix(ipc::Port& port, PeerProcess& /*peer*/) {
  std::vector<bool> right(30);
  coro::Scope scope;
  for (std::uint64_t seed = 0; seed < right.size(); ++seed) {
    scope.spawn(send_one(port, seed, std::ref(right)));
  }

  co_await scope.join();

  EXPECT_EQ(right, std::vector<bool>(30, true));
}

TEST_P(PortRowTest, S16_D11_FragmentsOfManyMessagesAreSortedOut) { run(setup("echo"), mix); }

// Who only waits to begin is bounded too, and one too many is told so at once.
coro::Task<void> wait_in_a_crowd(ipc::Port& port, PeerProcess& peer) {
  const std::string payload(1 << 20, 'x');
  coro::Scope scope;
  for (int i = 0; i < 20; ++i) {
    scope.spawn(
        [](ipc::Port& to, const std::string& bytes) -> coro::Task<void> {
          Status sent = co_await to.send(ipc::Message(bytes));
          EXPECT_EQ(sent.code(), StatusCode::kUnavailable);
        },
        std::ref(port), std::cref(payload));
  }
  co_await coro::yield();
  Status sent = co_await port.send(ipc::Message(payload));
  EXPECT_EQ(sent.code(), StatusCode::kResourceExhausted);
  port.close();
  co_await scope.join();
  peer.cue();
}

TEST_F(PortTest, D32_NoMoreLargeMessagesWaitThanTheOptionAllows) {
  PeerSetup setup = peer_setup("idle");
  setup.port.shared_memory = false;
  setup.port.waiting_count_max = 20;

  run(setup, wait_in_a_crowd);
}

}  // namespace
}  // namespace wharf::test
