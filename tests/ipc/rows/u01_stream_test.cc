// U1: requests and replies in parts.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/peers/streams.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::uint64_t kParts = 1000;

std::uint64_t number_in(const ipc::Message& message) {
  const std::string payload = message.to_string();
  return value_of<std::uint64_t>(payload);
}

coro::Task<Seen> ask_seen(ipc::Port& port) {
  std::string told = co_await ask(port, ipc::Message(kTellSeen));
  co_return value_of<Seen>(told);
}

// Counts up to `last`, and expects each number in its turn.
coro::Task<void> count(ipc::Port& port, std::uint64_t last) {
  const std::string payload(bytes_of(last));
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kCountUp, payload));
  CO_ASSERT_OK(call.status());
  std::uint64_t next = 0;
  bool more = true;
  while (more) {
    StatusOr<ipc::Message> reply = co_await call->next_reply();
    CO_ASSERT_OK(reply.status());
    EXPECT_EQ(number_in(*reply), next);
    ++next;
    more = reply->has_more();
  }
  EXPECT_EQ(next, last + 1);
  StatusOr<ipc::Message> beyond = co_await call->next_reply();
  EXPECT_EQ(beyond.status().code(), StatusCode::kOutOfRange);
}

coro::Task<void> count_side_by_side(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  for (int i = 0; i < 5; ++i) scope.spawn(count(port, kParts));
  scope.spawn(count(port, 0));
  co_await scope.join();
}

TEST_P(PortRowTest, U1_RepliesInPartsArriveInOrderSideBySide) { run(setup("stream"), count_side_by_side); }

coro::Task<void> add_up(ipc::Port& port, PeerProcess& /*peer*/) {
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kAddUp), {.more = true});
  CO_ASSERT_OK(call.status());
  for (std::uint64_t i = 1; i < kParts; ++i) {
    Status sent = co_await call->send_part(ipc::Message(kAddUp, bytes_of(i)));
    CO_ASSERT_OK(sent);
  }
  Status sent = co_await call->send_last(ipc::Message(kAddUp, bytes_of(kParts)));
  CO_ASSERT_OK(sent);
  Status again = co_await call->send_part(ipc::Message("too late"));
  EXPECT_EQ(again.code(), StatusCode::kFailedPrecondition);

  StatusOr<ipc::Message> reply = co_await call->next_reply();

  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(number_in(*reply), kParts * (kParts + 1) / 2);
}

TEST_P(PortRowTest, U1_ARequestInPartsArrivesWhole) { run(setup("stream"), add_up); }

coro::Task<void> be_answered_early(ipc::Port& port, PeerProcess& /*peer*/) {
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kAnswerFirst, "enough"), {.more = true});
  CO_ASSERT_OK(call.status());
  Status sent;
  // The window is spent, and no credit comes: the answer ends the wait.
  while (sent.ok()) sent = co_await call->send_part(ipc::Message("part"));
  EXPECT_EQ(sent.code(), StatusCode::kAborted);

  StatusOr<ipc::Message> reply = co_await call->next_reply();

  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(reply->to_string(), "enough");
  co_await count(port, 3);
}

TEST_P(PortRowTest, U1_AnAnswerEndsARequestInParts) { run(setup("stream"), be_answered_early); }

// Nobody takes the replies: their sender waits, and nobody else does.
coro::Task<void> neglect_a_stream(ipc::Port& port, PeerProcess& /*peer*/) {
  StatusOr<ipc::Call> neglected = co_await port.start_call(ipc::Message(kCountUp, bytes_of(kParts)));
  CO_ASSERT_OK(neglected.status());

  co_await count(port, kParts);

  const ipc::PortCounters counters = port.counters();
  EXPECT_LE(counters.messages_received, kParts + 1 + 16) << "what the window of 16 allows beside the other stream";
  StatusOr<ipc::Message> reply = co_await neglected->next_reply();
  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(number_in(*reply), 0u);
}

TEST_P(PortRowTest, U1_AStreamThatNobodyTakesHoldsUpNoOther) { run(setup("stream"), neglect_a_stream); }

coro::Task<void> give_up(ipc::Port& port, PeerProcess& /*peer*/) {
  {
    StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kCountUp, bytes_of(kParts)));
    CO_ASSERT_OK(call.status());
    StatusOr<ipc::Message> reply = co_await call->next_reply();
    CO_ASSERT_OK(reply.status());
  }
  Seen seen = co_await ask_seen(port);
  while (seen.given_up == 0) seen = co_await ask_seen(port);
  EXPECT_EQ(seen.given_up, 1u);

  {
    StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kAddUp), {.more = true});
    CO_ASSERT_OK(call.status());
    Seen before = co_await ask_seen(port);  // the request has been taken
    EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kTaken);
    StatusOr<ipc::Message> reply = co_await call->next_reply();
    EXPECT_EQ(reply.status().code(), StatusCode::kAborted) << "it was dropped";
    EXPECT_EQ(before.given_up, 1u);
  }
  seen = co_await ask_seen(port);
  EXPECT_EQ(seen.given_up, 2u);
}

TEST_P(PortRowTest, U1_ACallerThatGivesUpEndsTheStreamAtBothEnds) { run(setup("stream"), give_up); }

coro::Task<void> fail_stream(ipc::Port& port, std::vector<Status>& ends) {
  StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kAddUp), {.more = true});
  CO_ASSERT_OK(call.status());
  StatusOr<ipc::Message> reply = co_await call->next_reply();
  ends.push_back(reply.status());
  EXPECT_EQ(call->cancel(), ipc::CancelOutcome::kUnknown);
}

coro::Task<void> lose_the_peer(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  std::vector<Status> ends;
  for (int i = 0; i < 5; ++i) scope.spawn(fail_stream(port, ends));
  co_await settle(port);
  EXPECT_TRUE(ends.empty());

  co_await peer.kill();
  co_await scope.join();

  CO_ASSERT_EQ(ends.size(), 5u);
  for (const Status& end : ends) EXPECT_EQ(end, port.status());
}

TEST_P(PortRowTest, U1_ThePeersDeathEndsItsStreams) { run(setup("stream"), lose_the_peer); }

coro::Task<void> ask_plainly(ipc::Port& port, PeerProcess& /*peer*/) {
  auto reply = co_await port.call(ipc::Message(kCountUp, bytes_of(kParts)));
  EXPECT_EQ(reply.status().code(), StatusCode::kFailedPrecondition);

  Seen seen = co_await ask_seen(port);
  while (seen.given_up == 0) seen = co_await ask_seen(port);
  EXPECT_EQ(seen.given_up, 1u);
}

TEST_P(PortRowTest, U1_APlainCallRefusesAReplyInParts) { run(setup("stream"), ask_plainly); }

coro::Task<void> ask_too_late(ipc::Port& port, PeerProcess& /*peer*/) {
  ipc::Message late(kCountUp, bytes_of(kParts));
  late.set_deadline_ns(1);
  StatusOr<ipc::Call> call = co_await port.start_call(std::move(late));
  CO_ASSERT_OK(call.status());

  StatusOr<ipc::Message> reply = co_await call->next_reply();

  EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
  Seen seen = co_await ask_seen(port);
  EXPECT_EQ(seen.requests, 0u) << "the peer's tasks never saw it";
  EXPECT_EQ(seen.expired, 1u);
}

TEST_P(PortRowTest, U1_ARequestThatComesTooLateAnswersItself) { run(setup("stream"), ask_too_late); }

coro::Task<void> run_out_of_time(ipc::Port& port, PeerProcess& /*peer*/) {
  Seen seen;
  for (std::int64_t patience_ms = 20; seen.requests == 0; patience_ms *= 2) {
    StatusOr<ipc::Call> call =
        co_await port.start_call(ipc::Message(kAddUp), {.deadline_ns = in_ms(patience_ms), .more = true});
    CO_ASSERT_OK(call.status());

    StatusOr<ipc::Message> reply = co_await call->next_reply();

    EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
    seen = co_await ask_seen(port);  // a peer that is held up for so long sees no request
  }
  while (seen.given_up == 0) seen = co_await ask_seen(port);
  EXPECT_EQ(seen.given_up, 1u);
}

TEST_P(PortRowTest, U1_ACallsDeadlineEndsItsStream) { run(setup("stream"), run_out_of_time); }

coro::Task<void> hold_all(ipc::Port& port, std::vector<ipc::Message>& held) {
  while (auto request = co_await port.receive()) held.push_back(*std::move(request));
}

coro::Task<void> meet_a_liar(StreamLie lie) {
  PeerSetup setup = peer_setup("break_streams");
  setup.argument = lie;
  PeerProcess liar(setup);
  auto port = co_await liar.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  {
    StatusOr<ipc::Call> call = co_await port->start_call(ipc::Message("?"));
    CO_ASSERT_OK(call.status());
    std::vector<ipc::Message> held;
    coro::Scope scope;
    scope.spawn(hold_all(*port, held));
    liar.cue();
    co_await scope.join();
  }
  EXPECT_EQ(port->status().code(), StatusCode::kInvalidArgument);
  const std::string_view reason = lie == kOpenTwice ? "record.stream" : "than it had credit for";
  EXPECT_NE(std::string(port->status().message()).find(reason), std::string::npos) << port->status();
  port.reset();
  co_await liar.join();
}

// Whatever the peer says, the text of a status stays short.
coro::Task<void> hear_a_long_error() {
  PeerSetup setup = peer_setup("break_streams");
  setup.argument = kLongError;
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  peer.cue();

  auto reply = co_await port->call(ipc::Message("?"));

  EXPECT_EQ(reply.status(), absl::NotFoundError(std::string(512, 'x')));
  port.reset();
  co_await peer.join();
}

TEST_F(LaneRowTest, TheTextOfAnErrorIsCutWhateverThePeerSays) { run(hear_a_long_error()); }

TEST_F(LaneRowTest, U1_MorePartsThanTheWindowEndTheLink) { run(meet_a_liar(kTooManyParts)); }
TEST_F(LaneRowTest, U1_AStreamThatIsOpenedTwiceEndsTheLink) { run(meet_a_liar(kOpenTwice)); }
TEST_F(LaneRowTest, U1_MoreRepliesThanTheWindowEndTheLink) { run(meet_a_liar(kTooManyReplies)); }

}  // namespace
}  // namespace wharf::test
