// M2, M5, M10: allocating shared memory: sizes, growth up to the limit, and waiting for it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kKiB = 1024;

ipc::PortOptions with_arena(std::size_t bytes_max) {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = bytes_max;
  return options;
}

// Lends a block of `bytes` to the peer.
coro::Task<void> lend(ipc::Port& port, std::size_t bytes) {
  auto loan = co_await port.loan(bytes);
  CO_ASSERT_OK(loan.status());
  std::memset(loan->data(), 7, bytes);
  Status sent = co_await port.send(ipc::Message(*std::move(loan)));
  EXPECT_OK(sent);
}

coro::Task<void> grow(ipc::Port& port, PeerProcess& /*peer*/) {
  EXPECT_EQ(port.counters().arena_segment_bytes, 0u) << "an idle link has no arena";
  std::vector<ipc::Loan> loans;
  std::size_t wanted_bytes = 0;
  for (const std::size_t bytes : {1, 255, 256, 257, 4096, 5000, 100'000, 256 * 1024, 1024 * 1024}) {
    auto loan = co_await port.loan(bytes);

    CO_ASSERT_OK(loan.status());
    EXPECT_EQ(loan->size_bytes(), bytes);
    EXPECT_GE(loan->capacity_bytes(), bytes);
    EXPECT_LT(loan->capacity_bytes(), 2 * bytes + 256);
    std::memset(loan->data(), 1, loan->capacity_bytes());
    wanted_bytes += loan->capacity_bytes();
    EXPECT_EQ(port.counters().arena_used_bytes, wanted_bytes);
    loans.push_back(*std::move(loan));
  }
  EXPECT_GE(port.counters().arena_segment_bytes, wanted_bytes);
  EXPECT_LE(port.counters().arena_segment_bytes, 4 * kKiB * kKiB);

  auto too_large = co_await port.loan(4 * kKiB * kKiB + 1);
  EXPECT_EQ(too_large.status().code(), StatusCode::kResourceExhausted);
  loans.clear();
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, M2_TheArenaHasEverySizeAndGrowsUpToItsLimit) {
  run(peer_setup("idle", with_arena(4 * kKiB * kKiB)), [](ipc::Port& port, PeerProcess& peer) -> coro::Task<void> {
    co_await grow(port, peer);
    peer.cue();
  });
}

coro::Task<void> fill_up_and_wait(ipc::Port& port, PeerProcess& /*peer*/) {
  for (int i = 0; i < 8; ++i) co_await lend(port, 128 * kKiB);
  EXPECT_EQ(port.counters().blocks_lent_now, 8u);
  EXPECT_EQ(port.counters().arena_used_bytes, kKiB * kKiB);

  auto none = co_await port.loan(1, {.deadline_ns = in_ms(5)});
  EXPECT_EQ(none.status().code(), StatusCode::kDeadlineExceeded);

  coro::Scope scope;
  bool lent = false;
  scope.spawn(
      [](ipc::Port& to, bool& done) -> coro::Task<void> {
        co_await lend(to, 128 * kKiB);
        done = true;
      },
      std::ref(port), std::ref(lent));
  co_await next_turn();
  EXPECT_FALSE(lent);

  std::string held = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(value_of<std::uint64_t>(held), 8u);
  co_await scope.join();
  EXPECT_TRUE(lent);
}

TEST_F(LaneRowTest, M2_AFullArenaWaitsUntilBlocksComeBack) {
  run(peer_setup("hold", with_arena(kKiB * kKiB)), fill_up_and_wait);
}

// Records which of them was served, in order.
coro::Task<void> borrow(ipc::Port& port, std::vector<int>& served, int number, std::size_t bytes,
                        std::int64_t deadline_ns) {
  auto loan = co_await port.loan(bytes, {.deadline_ns = deadline_ns});
  served.push_back(loan.ok() ? number : -number);
  bool elapsed = co_await runtime::sleep_until(in_ms(1));  // others see it taken
  static_cast<void>(elapsed);
}

coro::Task<void> wait_in_turn(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  std::vector<int> served;
  co_await lend(port, 256 * kKiB);
  scope.spawn(borrow(port, served, 1, 256 * kKiB, 0));
  scope.spawn(borrow(port, served, 2, 1, 0));  // small, and still behind
  scope.spawn(borrow(port, served, 3, 256 * kKiB, 0));
  co_await next_turn();
  EXPECT_TRUE(served.empty());

  std::string held = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(value_of<std::uint64_t>(held), 1u);
  co_await scope.join();

  EXPECT_EQ(served, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, M5_LoansAreServedInTurn) { run(peer_setup("hold", with_arena(256 * kKiB)), wait_in_turn); }

coro::Task<void> give_up(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  coro::Scope stopped_scope;
  std::vector<int> served;
  co_await lend(port, 128 * kKiB);
  stopped_scope.spawn(borrow(port, served, 1, 256 * kKiB, 0));
  scope.spawn(borrow(port, served, 2, 256 * kKiB, in_ms(5)));
  scope.spawn(borrow(port, served, 3, 128 * kKiB, 0));  // has room as soon as it is the first
  co_await next_turn();

  stopped_scope.cancel();
  co_await stopped_scope.join();
  co_await scope.join();

  CO_ASSERT_EQ(served.size(), 3u);
  std::sort(served.begin(), served.begin() + 2);  // on a busy machine the deadline passes before the stop
  EXPECT_EQ(served, (std::vector<int>{-2, -1, 3}));
  EXPECT_EQ(port.counters().arena_used_bytes, 128 * kKiB) << "the peer's";
}

TEST_F(LaneRowTest, M5_ALoanThatGivesUpLetsTheNextGoOn) { run(peer_setup("hold", with_arena(256 * kKiB)), give_up); }

coro::Task<void> return_unsent(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  std::vector<int> served;
  auto first = co_await port.loan(256 * kKiB);
  CO_ASSERT_OK(first.status());
  scope.spawn(borrow(port, served, 1, 256 * kKiB, 0));
  co_await next_turn();
  EXPECT_TRUE(served.empty());

  first = absl::CancelledError("given up");
  co_await scope.join();

  EXPECT_EQ(served, (std::vector<int>{1}));
  peer.cue();
}

TEST_F(LaneRowTest, M5_ALoanThatIsNotSentServesTheNext) {
  run(peer_setup("idle", with_arena(256 * kKiB)), return_unsent);
}

// The peer keeps what comes until we sleep, and then lets go without a word: only its ring can wake us.
coro::Task<void> borrow_asleep(ipc::Port& port, PeerProcess& peer) {
  co_await lend(port, 256 * kKiB);
  peer.cue();

  auto loan = co_await port.loan(256 * kKiB);

  EXPECT_OK(loan.status());
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
}

TEST_F(LaneRowTest, M10_AReleaseWakesWhoSleepsWaitingForMemory) {
  run(peer_setup("let_go_when_the_test_sleeps", with_arena(256 * kKiB)), borrow_asleep);
}

// Plain bytes wait for the same memory. They need several blocks and find some of them free.
coro::Task<void> copy_asleep(ipc::Port& port, PeerProcess& peer) {
  co_await lend(port, 768 * kKiB);
  const std::string payload(512 * kKiB, 'x');
  peer.cue();

  Status sent = co_await port.send(ipc::Message(payload));

  EXPECT_OK(sent);
}

TEST_F(LaneRowTest, M10_AReleaseWakesASenderThatSleepsWaitingForMemory) {
  run(peer_setup("let_go_when_the_test_sleeps", with_arena(kKiB * kKiB)), copy_asleep);
}

// Nobody waits for memory: a release does not ring.
coro::Task<void> do_without(ipc::Port& port, PeerProcess& peer) {
  co_await lend(port, 1000);
  co_await settle(port);
  const std::uint64_t wakes_before = port.counters().wakes;
  for (int i = 0; i < 20; ++i) co_await lend(port, 1000);
  peer.cue();

  co_await peer.until_cued();  // it has released all of them while we slept

  EXPECT_EQ(port.counters().wakes, wakes_before);
  EXPECT_EQ(port.counters().blocks_lent_now, 20u) << "so we have not looked yet";
  co_await settle(port);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
}

TEST_F(LaneRowTest, M10_AReleaseDoesNotWakeWhoNeedsNoMemory) { run(peer_setup("let_go_and_say_so"), do_without); }

}  // namespace
}  // namespace wharf::test
