// M7, M8, S11: payload by block descriptor: sent without a copy, viewed in place, and whose it is meanwhile.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wharf/shm/format.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

// Shared memory that holds `payload`.
coro::Task<StatusOr<ipc::Loan>> loan_with(ipc::Port& port, std::string payload) {
  auto loan = co_await port.loan(payload.size());
  if (loan.ok()) std::memcpy(loan->data(), payload.data(), payload.size());
  co_return loan;
}

coro::Task<void> send_loans(ipc::Port& port, PeerProcess& /*peer*/) {
  std::uint64_t count = 0;
  for (const std::size_t bytes : {1, 1024, 16 * 1024, 1024 * 1024}) {
    const std::string payload = pattern(bytes);
    auto loan = co_await loan_with(port, payload);
    CO_ASSERT_OK(loan.status());

    std::string back = co_await ask(port, ipc::Message(*std::move(loan)));

    EXPECT_TRUE(back == payload) << bytes;
    EXPECT_EQ(port.counters().blocks_lent, ++count);
  }
  EXPECT_EQ(port.counters().bytes_copied_inline, 0u);
  EXPECT_EQ(port.counters().bytes_copied_to_arena, 0u);
}

TEST_F(LaneRowTest, M7_LoansAreSentByDescriptorWithoutACopy) { run(peer_setup("echo"), send_loans); }

coro::Task<void> send_many_blocks(ipc::Port& port, PeerProcess& /*peer*/) {
  for (const std::size_t count : {shm::kBlockCountMax, shm::kBlockCountMax + 1}) {
    ipc::Message message;
    std::string whole;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string payload = pattern(300, i);
      whole += payload;
      auto loan = co_await loan_with(port, payload);
      CO_ASSERT_OK(loan.status());
      message.append(*std::move(loan));
    }
    if (count > shm::kBlockCountMax) {
      auto refused = co_await port.call(std::move(message));
      EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
    } else {
      std::string back = co_await ask(port, std::move(message));
      EXPECT_TRUE(back == whole);
    }
  }
  co_await settle(port);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, M7_AMessageCarriesUpTo256BlocksAndMoreAreRefused) { run(peer_setup("echo"), send_many_blocks); }

// Plain parts before, between and behind blocks: the first ones travel in place, the others are copied, in order.
coro::Task<void> send_mixed(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string small = pattern(200, 1);
  const std::string large = pattern(5000, 2);
  const std::string lent = pattern(3000, 3);
  for (unsigned choice = 0; choice < 3 * 3 * 3 * 3; ++choice) {
    ipc::Message message;
    std::string whole;
    for (unsigned rest = choice, i = 0; i < 4; ++i, rest /= 3) {
      if (rest % 3 == 2) {
        auto loan = co_await loan_with(port, lent);
        CO_ASSERT_OK(loan.status());
        message.append(*std::move(loan));
        whole += lent;
      } else {
        const std::string& plain = rest % 3 == 0 ? small : large;
        message.append(plain);
        whole += plain;
      }
    }

    std::string back = co_await ask(port, std::move(message));

    EXPECT_TRUE(back == whole) << choice;
  }
}

TEST_F(LaneRowTest, M7_PlainPartsAndBlocksKeepTheirOrder) { run(peer_setup("echo"), send_mixed); }

coro::Task<void> resize(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload = pattern(256);
  for (const std::size_t bytes : {0, 1, 100, 256}) {
    auto loan = co_await port.loan(100);
    CO_ASSERT_OK(loan.status());
    CO_ASSERT_EQ(loan->capacity_bytes(), 256u);
    std::memcpy(loan->data(), payload.data(), payload.size());
    loan->resize(bytes);

    std::string back = co_await ask(port, ipc::Message(*std::move(loan)));

    EXPECT_EQ(back, payload.substr(0, bytes));
  }
}

TEST_F(LaneRowTest, M7_ALoanIsSentAtTheSizeThatItWasGiven) { run(peer_setup("echo"), resize); }

// More messages than may be lent at once: the rest waits until some come back.
coro::Task<void> lend_everything(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload = pattern(2000);
  for (int i = 0; i < 1000; ++i) {
    Status sent = co_await port.send(ipc::Message(payload));
    EXPECT_OK(sent);
    EXPECT_LE(port.counters().blocks_lent_now, 256u);
  }
  co_await settle(port);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().blocks_lent, 1000u);
}

TEST_F(LaneRowTest, M7_NoMoreBlocksAreLentThanTheReleaseRingHolds) {
  ipc::PortOptions options;
  options.lane.release_slot_count = 256;

  run(peer_setup("describe", options), lend_everything);
}

coro::Task<void> hand_over(ipc::Port& port, PeerProcess& /*peer*/) {
  auto loan = co_await loan_with(port, pattern(4096));
  CO_ASSERT_OK(loan.status());
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 4096u);

  Status sent = co_await port.send(ipc::Message(*std::move(loan)));

  EXPECT_OK(sent);
  EXPECT_EQ(port.counters().blocks_lent_now, 1u) << "the receiver's";
  EXPECT_EQ(port.counters().arena_used_bytes, 4096u);
  std::string held = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(value_of<std::uint64_t>(held), 1u);
  held = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(LaneRowTest, S11_ALoanBelongsToTheReceiverOnceItIsSent) { run(peer_setup("hold"), hand_over); }

coro::Task<void> keep_back(ipc::Port& port, PeerProcess& peer) {
  {
    auto dropped = co_await port.loan(1000);
  }
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);

  auto refused = co_await port.loan(1000);
  CO_ASSERT_OK(refused.status());
  ipc::Message too_many(*std::move(refused));
  for (int i = 0; i < 17; ++i) too_many.attach(runtime::UniqueFd(::dup(STDERR_FILENO)));
  Status sent = co_await port.send(std::move(too_many));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);

  while (true) {  // until the ring is full
    sent = co_await port.send(ipc::Message("x"), {.deadline_ns = in_ms(5)});
    if (!sent.ok()) break;
  }
  auto late = co_await port.loan(1000);
  CO_ASSERT_OK(late.status());
  sent = co_await port.send(ipc::Message(*std::move(late)), {.deadline_ns = in_ms(5)});
  EXPECT_EQ(sent.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  peer.cue();
}

TEST_F(LaneRowTest, S11_WhatWasNotSentReturnsToTheArena) { run(peer_setup("idle"), keep_back); }

coro::Task<void> send_unread(ipc::Port& port, PeerProcess& peer) {
  const std::string payload = pattern(10'000);

  Status sent = co_await port.send(ipc::Message(payload));

  EXPECT_OK(sent) << "the peer has not read it, and never will";
  peer.cue();
}

TEST_P(PortRowTest, S11_SendIsDoneBeforeThePeerReads) { run(setup("idle"), send_unread); }

// Views of a peer that has died, held longer than the port and the reactor's turn.
coro::Task<void> outlive(PeerSetup setup, std::vector<ipc::Message>& kept) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string payload = pattern(50'000, i);
    auto reply = co_await port->call(ipc::Message(payload));
    CO_ASSERT_OK(reply.status());
    kept.push_back(*std::move(reply));
  }
  auto loan = co_await port->loan(5000);
  CO_ASSERT_OK(loan.status());
  co_await peer.kill();
  bool closed = co_await port->closed();
  EXPECT_TRUE(closed);
  port.reset();
  std::memset(loan->data(), 1, 5000);  // a loan keeps its memory, too
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(kept[i].to_string() == pattern(50'000, i));
}

TEST_F(LaneRowTest, M8_ViewsKeepTheirMemoryWhenPortAndPeerAreGone) {
  std::vector<ipc::Message> kept;

  run(outlive(peer_setup("echo"), kept));

  for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(kept[i].to_string() == pattern(50'000, i));
  std::string first(20, '\0');
  EXPECT_EQ(kept[0].copy_out(std::as_writable_bytes(std::span(first))), 20u);
  EXPECT_EQ(first, pattern(50'000, 0).substr(0, 20));
}

coro::Task<void> release_with_the_message(ipc::Port& port, PeerProcess& /*peer*/) {
  std::optional<ipc::Message> view;
  {
    const std::string payload = pattern(50'000);
    auto reply = co_await port.call(ipc::Message(payload));
    CO_ASSERT_OK(reply.status());
    EXPECT_EQ(reply->part_count(), 1u) << "one view, and no copy";
    view = *std::move(reply);
  }
  std::string answer = co_await ask(port, ipc::Message("counters?"));
  EXPECT_EQ(value_of<ipc::PortCounters>(answer).blocks_lent_now, 1u);

  view.reset();

  answer = co_await ask(port, ipc::Message("counters?"));
  answer = co_await ask(port, ipc::Message("counters?"));
  EXPECT_EQ(value_of<ipc::PortCounters>(answer).blocks_lent_now, 0u);
}

TEST_F(LaneRowTest, M8_AViewGoesHomeWithItsMessage) {
  run(peer_setup("copy_back_and_count"), release_with_the_message);
}

}  // namespace
}  // namespace wharf::test
