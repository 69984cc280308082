// M11: a request that is taken back: retracted, taken, or unknown.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/peers/streams.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

coro::Task<Seen> ask_seen(ipc::Port& port) {
  std::string told = co_await ask(port, ipc::Message(kTellSeen));
  co_return value_of<Seen>(told);
}

// The peer does not receive yet, so what is sent lies in the ring.
coro::Task<void> retract(ipc::Port& port, PeerProcess& peer) {
  const std::string large = pattern(100'000);
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(large));
  CO_ASSERT_OK(call.status());
  EXPECT_EQ(port.counters().blocks_lent_now, 1u);

  EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kRetracted);

  EXPECT_EQ(port.counters().blocks_lent_now, 0u) << "its memory is back at once";
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kRetracted);
  StatusOr<ipc::Message> reply = co_await call->next_reply();
  EXPECT_EQ(reply.status().code(), StatusCode::kCancelled);
  peer.cue();
  Seen seen = co_await ask_seen(port);
  EXPECT_EQ(seen.requests, 0u);
  EXPECT_EQ(port.counters().requests_retracted, 1u);
}

TEST_F(LaneRowTest, M11_AQueuedRequestIsRetractedAndItsMemoryComesBackAtOnce) {
  run(peer_setup("stream_when_cued"), retract);
}

coro::Task<void> lose_patience(ipc::Port& port, PeerProcess& peer) {
  const std::string large = pattern(100'000);
  auto reply = co_await port.call(ipc::Message(large), {.deadline_ns = in_ms(5)});
  EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);

  peer.cue();

  Seen seen = co_await ask_seen(port);
  EXPECT_EQ(seen.requests, 0u);
}

TEST_F(LaneRowTest, M11_ACallThatGivesUpTakesItsRequestBack) { run(peer_setup("stream_when_cued"), lose_patience); }

coro::Task<void> give_up_in_the_ring(ipc::Port& port, PeerProcess& peer) {
  {
    StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message("dropped"));
  }
  ipc::Message with_fd("with a descriptor");
  with_fd.attach(runtime::UniqueFd(::dup(0)));
  {
    StatusOr<ipc::Call> call = co_await port.start_call(std::move(with_fd));
  }
  EXPECT_EQ(port.counters().requests_retracted, 2u);

  peer.cue();

  Seen seen = co_await ask_seen(port);
  EXPECT_EQ(seen.requests, 0u);
  const std::string back = co_await ask(port, ipc::Message("well"));
  EXPECT_EQ(back, "well");
}

TEST_F(LaneRowTest, M11_ARetractedRequestsDescriptorsAreClosedByThePeer) {
  run(peer_setup("stream_when_cued"), give_up_in_the_ring);
}

coro::Task<void> come_too_late(ipc::Port& port, PeerProcess& peer) {
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kAnswerLater, "x"));
  CO_ASSERT_OK(call.status());
  co_await settle(port);  // it has been taken

  EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kTaken);
  EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kTaken);

  peer.cue();
  StatusOr<ipc::Message> reply = co_await call->next_reply();
  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(reply->to_string(), "late");
}

TEST_P(PortRowTest, M11_ATakenRequestIsAnswered) { run(setup("answer_badly"), come_too_late); }

coro::Task<void> lose_the_peer(ipc::Port& port, PeerProcess& peer) {
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kAnswerLater, "x"));
  CO_ASSERT_OK(call.status());
  co_await peer.kill();
  bool ended = co_await port.closed();
  EXPECT_TRUE(ended);

  EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kUnknown);
  StatusOr<ipc::Message> reply = co_await call->next_reply();
  EXPECT_EQ(reply.status(), port.status());
}

TEST_P(PortRowTest, M11_ADeadPeersRequestIsUnknown) { run(setup("answer_badly"), lose_the_peer); }

// What became of the storm's requests, as this side knows it.
struct Storm {
  std::uint64_t retracted = 0;
  std::uint64_t served = 0;
  std::uint64_t served_sum = 0;
  std::uint64_t dropped = 0;  // taken, but the peer saw the mark
};

coro::Task<void> ask_and_cancel(ipc::Port& port, std::uint64_t number, Storm& storm) {
  const std::string payload = std::string(bytes_of(number)) + pattern(number % 3 == 0 ? 5000 : 10, number);
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(payload));
  CO_ASSERT_OK(call.status());
  for (std::uint64_t i = 0; i < number % 4; ++i) co_await next_turn();
  const ipc::CancelOutcome outcome = call->cancel();
  StatusOr<ipc::Message> reply = co_await call->next_reply();
  if (outcome == ipc::CancelOutcome::kRetracted) {
    ++storm.retracted;
    EXPECT_EQ(reply.status().code(), StatusCode::kCancelled);
  } else if (reply.ok()) {
    ++storm.served;
    storm.served_sum += number;
    EXPECT_TRUE(reply->to_string() == payload);
  } else {
    ++storm.dropped;
    EXPECT_EQ(reply.status().code(), StatusCode::kCancelled);
  }
}

coro::Task<void> storm(ipc::Port& port, PeerProcess& /*peer*/) {
  constexpr std::uint64_t kRequests = 20'000;
  constexpr std::uint64_t kAtOnce = 20;
  Storm storm;
  for (std::uint64_t i = 0; i < kRequests; i += kAtOnce) {
    coro::Scope scope;
    for (std::uint64_t k = 0; k < kAtOnce; ++k) scope.spawn(ask_and_cancel(port, i + k, storm));
    co_await scope.join();
  }

  Seen seen = co_await ask_seen(port);
  EXPECT_EQ(storm.retracted + storm.served + storm.dropped, kRequests);
  EXPECT_EQ(seen.requests, storm.served) << "what was retracted or dropped was seen by nobody";
  EXPECT_EQ(seen.sum, storm.served_sum);
  co_await settle(port);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_P(PortRowTest, M11_UnderEveryRaceARequestIsEitherServedOrTakenBack) { run(setup("stream"), storm); }

}  // namespace
}  // namespace wharf::test
