// M3, M4, M9, M12: a segment is announced before its first use, stays while anything looks at it, and goes after idle.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kKiB = 1024;

ipc::PortOptions idle_after(std::int64_t arena_idle_ms) {
  ipc::PortOptions options;
  options.lane.arena_idle_ms = arena_idle_ms;
  return options;
}

coro::Task<void> until_segment_bytes(ipc::Port& port, std::size_t bytes) {
  while (port.counters().arena_segment_bytes != bytes) {
    bool elapsed = co_await runtime::sleep_for(milliseconds(1));
    static_cast<void>(elapsed);
  }
}

coro::Task<ipc::PortCounters> peer_counters(ipc::Port& port) {
  std::string reply = co_await ask(port, ipc::Message("counters"));
  co_return value_of<ipc::PortCounters>(reply);
}

coro::Task<void> send_burst(ipc::Port& port) {
  for (std::uint64_t i = 0; i < 12; ++i) {
    const std::string payload = pattern(200 * kKiB, i);
    Status sent = co_await port.send(ipc::Message(static_cast<std::uint32_t>(i), payload));
    EXPECT_OK(sent);
  }
}

coro::Task<void> use_segments_at_once(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  scope.spawn(send_burst(port));

  for (std::uint64_t i = 0; i < 12; ++i) {
    auto message = co_await port.receive();
    CO_ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->type(), i);
    EXPECT_EQ(message->to_string(), pattern(200 * kKiB, i));
  }

  co_await scope.join();
  EXPECT_GT(port.counters().arena_segment_bytes, 512 * kKiB) << "several segments";
}

TEST_F(LaneRowTest, M4_SegmentsAreThereBeforeTheirFirstUse) { run(peer_setup("echo"), use_segments_at_once); }

coro::Task<void> send_a_part(ipc::Port& port, PeerProcess& /*peer*/) {
  auto loan = co_await port.loan(256 * kKiB);
  CO_ASSERT_OK(loan.status());
  loan->resize(1000);
  loan->shrink_to_fit();
  Status sent = co_await port.send(ipc::Message(*std::move(loan)));
  EXPECT_OK(sent);
  EXPECT_EQ(port.counters().arena_used_bytes, kKiB) << "the rest came back at once";

  std::string held = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(value_of<std::uint64_t>(held), 1u);
  co_await settle(port);

  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, M9_TheSentPartIsThePeersAndTheRestComesBack) { run(peer_setup("hold"), send_a_part); }

coro::Task<void> use_and_rest(ipc::Port& port, PeerProcess& /*peer*/) {
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      const std::string payload = pattern(100 * kKiB, i);
      Status sent = co_await port.send(ipc::Message(payload));
      EXPECT_OK(sent);
    }
    ipc::PortCounters theirs = co_await peer_counters(port);
    EXPECT_NE(theirs.peer_segment_bytes, 0u);
    EXPECT_EQ(theirs.peer_segment_bytes, port.counters().arena_segment_bytes);

    co_await until_segment_bytes(port, 0);

    theirs = co_await peer_counters(port);
    EXPECT_EQ(theirs.peer_segment_bytes, 0u) << "the peer has unmapped them too";
  }
}

TEST_F(LaneRowTest, M12_AnArenaThatLiesIdleGoesOnBothSidesAndComesAgain) {
  run(peer_setup("count", idle_after(50)), use_and_rest);  // longer than the peer takes to answer
}

coro::Task<void> hold_one_segment(ipc::Port& port, PeerProcess& peer) {
  auto held = co_await port.loan(256 * kKiB);
  auto other = co_await port.loan(256 * kKiB);
  CO_ASSERT_OK(held.status());
  CO_ASSERT_OK(other.status());
  EXPECT_EQ(port.counters().arena_segment_bytes, 512 * kKiB);

  other = absl::CancelledError("let go");
  co_await until_segment_bytes(port, 256 * kKiB);
  std::memset(held->data(), 1, held->capacity_bytes());

  // What is left is in use: nothing needs watching, so nothing wakes the reactor.
  const std::uint64_t sleeps = runtime::Reactor::current().counters().sleeps;
  bool elapsed = co_await runtime::sleep_for(milliseconds(200));
  EXPECT_TRUE(elapsed);
  EXPECT_LT(runtime::Reactor::current().counters().sleeps - sleeps, 20u);

  port.close();
  std::memset(held->data(), 2, held->capacity_bytes());  // also now that its port has gone
  peer.cue();
}

TEST_F(LaneRowTest, M12_ASegmentInUseStaysAndIsNotWatched) { run(peer_setup("idle", idle_after(2)), hold_one_segment); }

coro::Task<void> keep_for_ever(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload(100 * kKiB, 'x');
  std::string back = co_await ask(port, ipc::Message(payload));
  EXPECT_EQ(back, payload);
  co_await settle(port);

  bool elapsed = co_await runtime::sleep_for(milliseconds(20));

  EXPECT_TRUE(elapsed);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  EXPECT_NE(port.counters().arena_segment_bytes, 0u);
}

TEST_F(LaneRowTest, M12_WithoutAnIdleTimeTheArenaKeepsWhatItHas) {
  run(peer_setup("echo", idle_after(0)), keep_for_ever);
}

constexpr std::size_t kEarlyBytes = 60 * kKiB;

coro::Task<void> view_what_was_retired(ipc::Port& port, PeerProcess& /*peer*/) {
  std::optional<ipc::Message> view = co_await port.receive();
  std::optional<ipc::Message> behind = co_await port.receive();  // after the retire record
  CO_ASSERT_TRUE(view.has_value() && behind.has_value());

  EXPECT_EQ(port.counters().peer_segment_bytes, kEarlyBytes);
  EXPECT_EQ(view->to_string(), pattern(kEarlyBytes));
  view.reset();

  EXPECT_EQ(port.counters().peer_segment_bytes, 0u) << "its last view has gone";
  EXPECT_OK(port.status());
  port.close();
}

TEST_F(LaneRowTest, M12_AnEarlyRetirementUnmapsNothingUnderAView) {
  PeerSetup setup = peer_setup("retires_early");
  setup.argument = kEarlyBytes;
  run(setup, view_what_was_retired);
}

}  // namespace
}  // namespace wharf::test
