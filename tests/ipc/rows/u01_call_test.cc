// U1: calls: replies by stream, errors, and every way for a call to end without a reply.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

coro::Task<void> call_numbered(ipc::Port& port, std::uint64_t number, std::vector<std::uint64_t>& order) {
  const std::string request(bytes_of(number));
  auto reply = co_await port.call(ipc::Message(static_cast<std::uint32_t>(number), request));
  CO_ASSERT_OK(reply.status());
  EXPECT_EQ(value_of<std::uint64_t>(reply->to_string()), number);
  EXPECT_EQ(reply->type(), static_cast<std::uint32_t>(number));
  order.push_back(number);
}

constexpr std::uint64_t kCalls = 200;

coro::Task<void> call_side_by_side(ipc::Port& port, PeerEnd& /*peer*/) {
  coro::Scope scope;
  std::vector<std::uint64_t> order;
  for (std::uint64_t i = 0; i < kCalls; ++i) scope.spawn(call_numbered(port, i, order));

  co_await scope.join();

  CO_ASSERT_EQ(order.size(), kCalls);
  for (std::uint64_t i = 0; i < kCalls; ++i) EXPECT_EQ(order[i], kCalls - 1 - i) << "answered last first";
}

// The same with payload in blocks, of every size, which the peer lets go of in that order.
coro::Task<void> call_with_blocks(ipc::Port& port, std::uint64_t number) {
  const std::string request = pattern(2000 + 300 * (number % 50), number);
  auto reply = co_await port.call(ipc::Message(request));
  CO_ASSERT_OK(reply.status());
  EXPECT_TRUE(reply->to_string() == request);
}

coro::Task<void> lend_side_by_side(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  for (std::uint64_t i = 0; i < kCalls; ++i) scope.spawn(call_with_blocks(port, i));
  co_await scope.join();

  co_await settle(port);

  EXPECT_EQ(port.counters().blocks_lent, kCalls);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, M9_ReleasedBlocksComeBackInWhateverOrder) {
  PeerSetup reverse = peer_setup("answer_in_reverse");
  reverse.argument = kCalls;

  run(reverse, lend_side_by_side);
}

TEST_P(PlaceRowTest, U1_ManyCallsAreAnsweredInAnyOrder) {
  PeerSetup reverse = setup("answer_in_reverse");
  reverse.argument = kCalls;

  run(reverse, call_side_by_side);
}

coro::Task<void> end_badly(ipc::Port& port, PeerEnd& /*peer*/) {
  auto reply = co_await port.call(ipc::Message(kDropIt, "x"));
  EXPECT_EQ(reply.status().code(), StatusCode::kAborted);

  reply = co_await port.call(ipc::Message(kFailIt, "no such row"));
  EXPECT_EQ(reply.status(), absl::NotFoundError("no such row"));
  const std::string longest(512, 'y');
  reply = co_await port.call(ipc::Message(kFailIt, longest));
  EXPECT_EQ(reply.status(), absl::NotFoundError(longest));

  reply = co_await port.call(ipc::Message(kAnswerItWrongly, "x"));
  EXPECT_EQ(reply.status().code(), StatusCode::kAborted) << "its answer was refused, and it tried no other";

  std::string back = co_await ask(port, ipc::Message("well"));
  EXPECT_EQ(back, "well");
}

TEST_P(PlaceRowTest, U1_ARequestThatIsDroppedOrRefusedFailsItsCall) { run(setup("answer_badly"), end_badly); }

TEST_P(PlaceRowTest, U1_AnErrorReplyNeedsNoInlineRoom) {
  ipc::PortOptions options;
  options.lane.inline_bytes_max = 0;

  run(setup("answer_badly", options), end_badly);
}

// Both ends are here. The answer that a dropped request gives is all that its caller hears.
coro::Task<void> drop_without(int error, runtime::sys::Call call, std::size_t inline_bytes_max) {
  ipc::PortOptions options;
  options.lane.inline_bytes_max = inline_bytes_max;
  const ipc::PortOptions plain;
  auto ends = ipc::Port::end_pair();
  CO_ASSERT_OK(ends.status());
  auto [asking, asked] = co_await coro::when_all(ipc::Port::open(std::move(ends->first), options),
                                                 ipc::Port::open(std::move(ends->second), plain));
  CO_ASSERT_TRUE(asking.ok() && asked.ok());
  std::optional<ipc::Loan> unannounced;
  if (inline_bytes_max != 0) {
    auto loan = co_await (*asked)->loan(1000);
    CO_ASSERT_OK(loan.status());
    unannounced = *std::move(loan);
  }
  coro::Scope scope;
  std::vector<Status> outcomes;
  scope.spawn(
      [](ipc::Port& port, std::vector<Status>& into) -> coro::Task<void> {
        auto reply = co_await port.call(ipc::Message("x"));
        into.push_back(reply.status());
      },
      std::ref(**asking), std::ref(outcomes));
  auto request = co_await (*asked)->receive();
  CO_ASSERT_TRUE(request.has_value());

  {
    const runtime::sys::FailureInjection failure(1, error, call);
    request.reset();
  }
  co_await scope.join();

  CO_ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].code(), StatusCode::kAborted) << outcomes[0];
}

// A segment that the peer has not been told of, because no packet with a descriptor goes out.
TEST_F(LaneRowTest, U1_AnAnswerDoesNotWaitForASegment) {
  run(drop_without(ETOOMANYREFS, runtime::sys::Call::kSendmsg, 1024));
}

// The answer's text needs the arena, and there is no memory for one: the code is said without it.
TEST_F(LaneRowTest, U1_AnAnswerIsGivenThoughThereIsNoMemoryForItsText) {
  run(drop_without(ENOMEM, runtime::sys::Call::kFallocate, 0));
}

coro::Task<void> fail_call(ipc::Port& port, std::vector<Status>& ends) {
  auto reply = co_await port.call(ipc::Message(kAnswerLater, "x"));
  ends.push_back(reply.status());
}

coro::Task<void> lose_patience(ipc::Port& port, PeerEnd& peer) {
  auto reply = co_await port.call(ipc::Message(kAnswerLater, "late"), {.deadline_ns = in_ms(5)});
  EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
  coro::Scope scope;
  std::vector<Status> ends;
  scope.spawn(fail_call(port, ends));
  co_await next_turn();
  EXPECT_TRUE(ends.empty());

  scope.cancel();
  co_await scope.join();
  CO_ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].code(), StatusCode::kCancelled);

  // These take the places that the late replies name, and each gets its own answer all the same.
  peer.cue();
  for (std::uint64_t i = 0; i < 50; ++i) {
    const std::string request(bytes_of(i));
    std::string back = co_await ask(port, ipc::Message(request));
    EXPECT_EQ(value_of<std::uint64_t>(back), i);
  }
}

TEST_P(PlaceRowTest, U1_ALateReplyIsIgnored) { run(setup("answer_badly"), lose_patience); }

// The request is larger than the socket: it is begun, and cannot be taken back; waiting for the reply can.
coro::Task<void> lose_patience_when_begun(ipc::Port& port, PeerEnd& /*peer*/) {
  const std::string large = pattern(3 << 20);

  auto reply = co_await port.call(ipc::Message(kAnswerLater, large), {.deadline_ns = in_ms(30)});

  EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
  std::string back = co_await ask(port, ipc::Message("well"));
  EXPECT_EQ(back, "well");
}

TEST_P(PlaceRowTest, U1_ACallWithALargeRequestKeepsItsDeadline) {
  run(setup("answer_badly"), lose_patience_when_begun);
}

coro::Task<void> die_in_a_call(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  std::vector<Status> ends;
  for (int i = 0; i < 10; ++i) scope.spawn(fail_call(port, ends));
  co_await next_turn();
  EXPECT_TRUE(ends.empty());

  co_await peer.kill();
  co_await scope.join();

  CO_ASSERT_EQ(ends.size(), 10u);
  for (const Status& end : ends) {
    EXPECT_EQ(end.code(), StatusCode::kUnavailable);
    EXPECT_EQ(end, port.status());
  }
}

TEST_P(PortRowTest, U1_ThePeersDeathFailsItsCalls) { run(setup("answer_badly"), die_in_a_call); }

// The peer has closed its sending: no reply can come any more.
coro::Task<void> call_a_closed_side(ipc::Port& port, PeerEnd& peer) {
  coro::Scope scope;
  std::vector<Status> ends;
  scope.spawn(fail_call(port, ends));
  co_await next_turn();

  peer.cue();
  co_await scope.join();
  auto later = co_await port.call(ipc::Message("any more?"));

  CO_ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].code(), StatusCode::kUnavailable);
  EXPECT_EQ(later.status().code(), StatusCode::kUnavailable);
  Status sent = co_await port.send(ipc::Message("this way is open"));
  EXPECT_OK(sent);
}

TEST_P(PlaceRowTest, U1_APeerThatHasClosedItsSendingFailsItsCalls) {
  run(setup("close_sending_when_cued"), call_a_closed_side);
}

coro::Task<void> answer_twice(ipc::Port& port, PeerEnd& /*peer*/) {
  auto reply = co_await port.call(ipc::Message("ping"));
  CO_ASSERT_OK(reply.status());
  EXPECT_FALSE(reply->is_request());

  Status sent = co_await reply->reply(ipc::Message("pong"));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
  sent = co_await reply->reply_error(absl::InternalError("no"));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
}

TEST_P(PlaceRowTest, U1_OnlyARequestIsAnswered) { run(setup("echo"), answer_twice); }

coro::Task<void> call_beyond_the_limit(ipc::Port& port, PeerEnd& peer) {
  coro::Scope scope;
  std::vector<Status> ends;
  for (int i = 0; i < 4; ++i) scope.spawn(fail_call(port, ends));
  co_await next_turn();
  EXPECT_TRUE(ends.empty());

  auto refused = co_await port.call(ipc::Message("one too many"));

  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
  peer.cue();
  co_await scope.join();
  for (const Status& end : ends) EXPECT_OK(end);
  std::string back = co_await ask(port, ipc::Message("well"));
  EXPECT_EQ(back, "well");
}

TEST_P(PlaceRowTest, U1_UnansweredCallsAreBounded) {
  ipc::PortOptions options;
  options.call_count_max = 4;

  run(setup("answer_badly", options), call_beyond_the_limit);
}

coro::Task<void> send_back(ipc::Port& port, PeerProcess& /*peer*/) {
  for (const std::size_t bytes : {2000, 5000, 100'000}) {
    auto loan = co_await port.loan(bytes);
    CO_ASSERT_OK(loan.status());
    const std::string payload = pattern(bytes);
    std::memcpy(loan->data(), payload.data(), bytes);
    const std::byte* sent_from = loan->data();

    auto reply = co_await port.call(ipc::Message(*std::move(loan)));

    CO_ASSERT_OK(reply.status());
    EXPECT_TRUE(reply->to_string() == payload);
    EXPECT_EQ(reply->part(0).data(), sent_from) << "the very memory";
    EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  }
  EXPECT_EQ(port.counters().bytes_copied_to_arena, 0u);
  EXPECT_EQ(port.counters().bytes_copied_inline, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  std::string counters = co_await ask(port, ipc::Message("counters?"));
  const auto theirs = value_of<ipc::PortCounters>(counters);
  EXPECT_EQ(theirs.blocks_returned_as_payload, 3u);
  EXPECT_EQ(theirs.bytes_copied_to_arena, 0u);
  EXPECT_EQ(theirs.arena_segment_bytes, 0u);
}

TEST_F(LaneRowTest, U1_AReplyCanReturnTheRequestsPayloadWithoutACopy) {
  run(peer_setup("give_back_and_count"), send_back);
}

}  // namespace
}  // namespace wharf::test
