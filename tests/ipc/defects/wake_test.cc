// Old defects of queues with wake-ups, and of cancelling by slot.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::uint64_t kRoundTrips = 5'000;

coro::Task<void> go_back_and_forth(ipc::Port& port, PeerProcess& /*peer*/) {
  for (std::uint64_t i = 0; i < kRoundTrips; ++i) {
    const std::string payload(bytes_of(i));
    std::string back = co_await ask(port, ipc::Message(payload));
    CO_ASSERT_EQ(value_of<std::uint64_t>(back), i);
  }
}

// Neither side spins, so each message meets a peer that is falling asleep, asleep, or waking up.
TEST_P(PortRowTest, D4_NoWakeUpIsLostThoughBothSidesSleepEachTime) {
  set_reactor({.spin_ns = 0});
  PeerSetup echo = setup("echo");
  echo.spin_ns = 0;

  run(echo, go_back_and_forth);
}

coro::Task<void> ask_for(ipc::Port& port, std::string payload, int& answered) {
  std::string back = co_await ask(port, ipc::Message(payload));
  EXPECT_EQ(back, payload);
  ++answered;
}

coro::Task<void> send_two_at_once(ipc::Port& port, PeerProcess& /*peer*/) {
  for (std::uint64_t i = 0; i < kRoundTrips / 10; ++i) {
    int answered = 0;
    coro::Scope scope;
    scope.spawn(ask_for(port, "first", answered));
    scope.spawn(ask_for(port, "second", answered));
    co_await scope.join();
    CO_ASSERT_EQ(answered, 2);
  }
  EXPECT_LE(port.counters().doorbells_rung, kRoundTrips / 10 + 1) << "one wake-up for both";
}

TEST_F(LaneRowTest, D6_TwoMessagesBehindOneWakeUpAreBothTaken) {
  set_reactor({.spin_ns = 0});
  PeerSetup echo = peer_setup("echo");
  echo.spin_ns = 0;

  run(echo, send_two_at_once);
}

// The held request's cells have long been used again when it is cancelled: no other request may carry its mark.
coro::Task<void> cancel_after_the_ring_went_round(ipc::Port& port, PeerProcess& peer) {
  StatusOr<ipc::Call> held = co_await port.start_call(ipc::Message(kAnswerLater, "x"));
  CO_ASSERT_OK(held.status());
  for (std::uint64_t i = 0; i < 1000; ++i) {
    std::string back = co_await ask(port, ipc::Message("round"));
    CO_ASSERT_EQ(back, "round");
  }
  int answered = 0;
  coro::Scope scope;
  for (int i = 0; i < 200; ++i) scope.spawn(ask_for(port, "alive", answered));
  co_await next_turn();

  EXPECT_EQ(held->cancel(), ipc::CancelOutcome::kTaken);
  co_await scope.join();

  EXPECT_EQ(answered, 200);
  peer.cue();
  StatusOr<ipc::Message> reply = co_await held->next_reply();
  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(reply->to_string(), "late");
}

TEST_F(LaneRowTest, D7_ALiveRequestIsNeverDroppedAsCancelled) {
  run(peer_setup("answer_badly"), cancel_after_the_ring_went_round);
}

}  // namespace
}  // namespace wharf::test
