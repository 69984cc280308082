// M6: a loan grows where it is, into free memory behind it, and gives back what it does not need.
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kKiB = 1024;

ipc::PortOptions with_arena(std::size_t bytes_max) {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = bytes_max;
  return options;
}

coro::Task<void> grow_and_send(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string text = pattern(200'000);
  auto loan = co_await port.loan(1000);
  CO_ASSERT_OK(loan.status());
  const std::byte* const where = loan->data();
  std::memcpy(loan->data(), text.data(), 1000);

  Status grown = loan->grow(text.size(), text.size());
  EXPECT_OK(grown);
  EXPECT_EQ(loan->data(), where);
  EXPECT_EQ(loan->size_bytes(), text.size());
  EXPECT_GE(loan->capacity_bytes(), text.size());
  EXPECT_EQ(port.counters().arena_used_bytes, loan->capacity_bytes());
  std::memcpy(loan->data() + 1000, text.data() + 1000, text.size() - 1000);

  std::string back = co_await ask(port, ipc::Message(*std::move(loan)));
  EXPECT_EQ(back, text);
  co_await settle(port);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, M6_ALoanGrowsInPlaceAndIsSentWhole) { run(peer_setup("echo"), grow_and_send); }

coro::Task<void> grow_against_a_neighbour(ipc::Port& port, PeerProcess& peer) {
  auto loan = co_await port.loan(64 * kKiB);
  CO_ASSERT_OK(loan.status());
  auto neighbour = co_await port.loan(128 * kKiB);
  CO_ASSERT_OK(neighbour.status());

  Status refused = loan->grow(256 * kKiB, 200 * kKiB);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("grow"), std::string::npos) << refused;
  EXPECT_EQ(loan->size_bytes(), 64 * kKiB);
  EXPECT_EQ(loan->capacity_bytes(), 64 * kKiB);
  EXPECT_EQ(port.counters().arena_used_bytes, 192 * kKiB);

  Status partly = loan->grow(256 * kKiB, 100 * kKiB);
  EXPECT_OK(partly);
  EXPECT_EQ(loan->size_bytes(), 128 * kKiB) << "as far as it goes";
  Status already = loan->grow(1000, 10);
  EXPECT_OK(already);
  EXPECT_EQ(loan->size_bytes(), 128 * kKiB) << "a loan is never made smaller";

  neighbour = absl::CancelledError("let go");
  Status further = loan->grow(256 * kKiB, 256 * kKiB);
  EXPECT_OK(further);
  EXPECT_EQ(port.counters().arena_used_bytes, 256 * kKiB);
  peer.cue();
}

TEST_F(LaneRowTest, M6_ALoanGrowsAsFarAsItGoesOrChangesNothing) {
  run(peer_setup("idle", with_arena(256 * kKiB)), grow_against_a_neighbour);
}

coro::Task<void> shrink_for_another(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  auto large = co_await port.loan(256 * kKiB);
  CO_ASSERT_OK(large.status());
  bool served = false;
  scope.spawn(
      [](ipc::Port& from, bool& done) -> coro::Task<void> {
        auto loan = co_await from.loan(128 * kKiB);
        EXPECT_OK(loan.status());
        done = true;
      },
      std::ref(port), std::ref(served));
  co_await next_turn();
  EXPECT_FALSE(served);

  large->resize(100 * kKiB);
  co_await next_turn();
  EXPECT_FALSE(served) << "a loan keeps its memory until it gives it back";
  EXPECT_EQ(large->capacity_bytes(), 256 * kKiB);
  large->shrink_to_fit();
  EXPECT_EQ(large->capacity_bytes(), 104 * kKiB);
  co_await scope.join();

  EXPECT_TRUE(served);
  peer.cue();
}

TEST_F(LaneRowTest, M6_WhatALoanGivesBackServesWhoeverWaits) {
  run(peer_setup("idle", with_arena(256 * kKiB)), shrink_for_another);
}

}  // namespace
}  // namespace wharf::test
