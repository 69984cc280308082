// M2, M5, M10, D13, D44: whoever waits for memory has a turn, states a size, may give up, and learns of errors.
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kKiB = 1024;

ipc::PortOptions with_arena(std::size_t bytes_max) {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = bytes_max;
  return options;
}

coro::Task<void> lend(ipc::Port& port, std::size_t bytes) {
  auto loan = co_await port.loan(bytes);
  CO_ASSERT_OK(loan.status());
  Status sent = co_await port.send(ipc::Message(*std::move(loan)));
  EXPECT_OK(sent);
}

using Order = std::vector<std::string>;

coro::Task<void> borrow(ipc::Port& port, Order& order, std::string name, std::size_t bytes) {
  auto loan = co_await port.loan(bytes);
  EXPECT_OK(loan.status());
  order.push_back(std::move(name));
}

// Plain bytes, which are copied into the arena.
coro::Task<void> copy(ipc::Port& port, Order& order, std::string name, std::size_t bytes) {
  const std::string payload(bytes, 'x');
  Status sent = co_await port.send(ipc::Message(payload));
  EXPECT_OK(sent);
  order.push_back(std::move(name));
}

coro::Task<void> let_small_sends_wait(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  Order order;
  co_await lend(port, 64 * kKiB);
  scope.spawn(borrow(port, order, "large loan", 256 * kKiB));
  co_await next_turn();
  scope.spawn(copy(port, order, "small copy", 4 * kKiB));  // would fit at once
  co_await next_turn();
  EXPECT_TRUE(order.empty());

  peer.cue();
  co_await scope.join();

  EXPECT_EQ(order, (Order{"large loan", "small copy"}));
}

TEST_F(LaneRowTest, M10_ASmallSendDoesNotOvertakeALargeLoan) {
  run(peer_setup("let_go_when_the_test_sleeps", with_arena(256 * kKiB)), let_small_sends_wait);
}

coro::Task<void> let_small_loans_wait(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  Order order;
  co_await lend(port, 128 * kKiB);
  auto kept = co_await port.loan(64 * kKiB);
  CO_ASSERT_OK(kept.status());
  scope.spawn(copy(port, order, "large copy", 128 * kKiB));
  co_await next_turn();
  scope.spawn(borrow(port, order, "small loan", 4 * kKiB));  // would fit at once
  scope.spawn(borrow(port, order, "next loan", 4 * kKiB));
  co_await next_turn();
  EXPECT_TRUE(order.empty());

  peer.cue();
  co_await scope.join();

  EXPECT_EQ(order, (Order{"large copy", "small loan", "next loan"}));
}

TEST_F(LaneRowTest, M10_ASmallLoanDoesNotOvertakeALargeSend) {
  run(peer_setup("let_go_when_the_test_sleeps", with_arena(256 * kKiB)), let_small_loans_wait);
}

coro::Task<void> send_loan(ipc::Port& port, Order& order, std::string name, ipc::Loan loan) {
  Status sent = co_await port.send(ipc::Message(std::move(loan)));
  EXPECT_OK(sent);
  order.push_back(std::move(name));
}

// All of the arena is in loans, and they are sent behind what waits for memory: nobody else could bring it.
coro::Task<void> copy_before_loans(ipc::Port& port, PeerProcess& /*peer*/) {
  std::vector<ipc::Loan> loans;
  for (int i = 0; i < 4; ++i) {
    auto loan = co_await port.loan(64 * kKiB);
    CO_ASSERT_OK(loan.status());
    loans.push_back(*std::move(loan));
  }
  coro::Scope scope;
  Order order;
  scope.spawn(borrow(port, order, "large loan", 128 * kKiB));
  co_await next_turn();

  scope.spawn(copy(port, order, "copy", 4 * kKiB));
  for (ipc::Loan& loan : loans) scope.spawn(send_loan(port, order, "sent loan", std::move(loan)));
  co_await scope.join();

  EXPECT_EQ(order, (Order{"copy", "sent loan", "sent loan", "sent loan", "sent loan", "large loan"}));
  EXPECT_EQ(port.counters().files_copied, 1u);
  Status closed = co_await port.close_send();
  EXPECT_OK(closed);
  auto count = co_await port.receive();
  CO_ASSERT_TRUE(count.has_value());
  EXPECT_EQ(value_of<std::uint64_t>(count->to_string()), 5u);
}

TEST_F(LaneRowTest, M10_ASendThatCopiesDoesNotWaitForLoansThatAreSentBehindIt) {
  run(peer_setup("count_then_tell", with_arena(256 * kKiB)), copy_before_loans);
}

coro::Task<void> copy_with_all_descriptors(ipc::Port& port, PeerProcess& peer) {
  auto all = co_await port.loan(256 * kKiB);
  CO_ASSERT_OK(all.status());
  const std::string payload(4 * kKiB, 'x');
  ipc::Message message(payload);
  for (std::uint64_t i = 0; i < 16; ++i) message.attach(numbered_file(i));

  Status sent = co_await port.send(std::move(message));

  EXPECT_EQ(sent.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(sent.message().find("no descriptor is to spare"), std::string::npos) << sent;
  peer.cue();
}

TEST_F(LaneRowTest, M10_WithoutMemoryOrADescriptorForAFileASendIsRefused) {
  run(peer_setup("idle", with_arena(256 * kKiB)), copy_with_all_descriptors);
}

coro::Task<void> time_out(ipc::Port& port, PeerProcess& peer) {
  co_await lend(port, 256 * kKiB);
  const std::string payload(4 * kKiB, 'x');

  auto loan = co_await port.loan(1, {.deadline_ns = in_ms(5)});
  EXPECT_EQ(loan.status().code(), StatusCode::kDeadlineExceeded);
  Status sent = co_await port.send(ipc::Message(payload), {.deadline_ns = in_ms(5)});
  EXPECT_EQ(sent.code(), StatusCode::kDeadlineExceeded);
  auto reply = co_await port.call(ipc::Message(payload), {.deadline_ns = in_ms(5)});
  EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);

  EXPECT_OK(port.status());
  EXPECT_EQ(port.counters().arena_used_bytes, 256 * kKiB) << "the peer's";
  peer.cue();
}

TEST_F(LaneRowTest, D13_WaitingForMemoryEndsAtTheDeadline) {
  run(peer_setup("let_go_when_the_test_sleeps", with_arena(256 * kKiB)), time_out);
}

// Memory comes and the waiter is stopped in the same turn: it is given once, or not at all.
coro::Task<void> stop_as_it_comes(ipc::Port& port, PeerProcess& peer) {
  for (int round = 0; round < 50; ++round) {
    coro::Scope stopped;
    coro::Scope scope;
    Order order;
    auto all = co_await port.loan(256 * kKiB);
    CO_ASSERT_OK(all.status());
    stopped.spawn(
        [](ipc::Port& from) -> coro::Task<void> {
          auto loan = co_await from.loan(256 * kKiB);
          EXPECT_TRUE(loan.ok() || loan.status().code() == StatusCode::kCancelled) << loan.status();
        },
        std::ref(port));
    scope.spawn(borrow(port, order, "next", 256 * kKiB));
    co_await next_turn();

    if (round % 2 == 0) stopped.cancel();
    all = absl::CancelledError("let go");
    if (round % 4 == 1) co_await coro::yield();
    stopped.cancel();
    co_await stopped.join();
    co_await scope.join();

    EXPECT_EQ(order, Order{"next"});
    EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  }
  peer.cue();
}

TEST_F(LaneRowTest, D44_AWaiterThatIsStoppedAsItsMemoryComesIsServedOnceAtMost) {
  run(peer_setup("idle", with_arena(256 * kKiB)), stop_as_it_comes);
}

// ---- Want of memory ----

coro::Task<void> grow_without_memory(ipc::Port& port, PeerProcess& /*peer*/) {
  {
    const runtime::sys::FailureInjection injection(1, ENOMEM, runtime::sys::Call::kFallocate);
    auto loan = co_await port.loan(1000);
    EXPECT_EQ(loan.status().code(), StatusCode::kResourceExhausted);
    EXPECT_NE(loan.status().message().find("fallocate"), std::string::npos) << loan.status();
  }
  {
    const std::string payload(100 * kKiB, 'x');
    const runtime::sys::FailureInjection injection(1, ENOMEM, runtime::sys::Call::kFallocate);
    Status sent = co_await port.send(ipc::Message(payload));
    EXPECT_EQ(sent.code(), StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(port.counters().arena_segment_bytes, 0u);
  const std::string payload(100 * kKiB, 'y');
  std::string back = co_await ask(port, ipc::Message(payload));
  EXPECT_EQ(back, payload) << "the port stays usable";
}

TEST_F(LaneRowTest, M2_WantOfMemoryIsAnErrorAtGrowth) { run(peer_setup("echo"), grow_without_memory); }

coro::Task<void> wait_without_memory(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  auto first = co_await port.loan(256 * kKiB);
  auto second = co_await port.loan(256 * kKiB);
  CO_ASSERT_OK(first.status());
  CO_ASSERT_OK(second.status());
  Status outcome;
  scope.spawn(
      [](ipc::Port& from, Status& told) -> coro::Task<void> {
        auto loan = co_await from.loan(512 * kKiB);  // needs a segment in the place of both
        told = loan.status();
      },
      std::ref(port), std::ref(outcome));
  co_await next_turn();

  const runtime::sys::FailureInjection injection(1, ENOMEM, runtime::sys::Call::kFallocate);
  first = absl::CancelledError("let go");
  second = absl::CancelledError("let go");
  co_await scope.join();

  EXPECT_TRUE(injection.fired());
  EXPECT_EQ(outcome.code(), StatusCode::kResourceExhausted) << outcome;
  EXPECT_NE(outcome.message().find("fallocate"), std::string::npos) << outcome;
  peer.cue();
}

TEST_F(LaneRowTest, M10_AWaiterLearnsThatTheKernelHasNoMemory) {
  run(peer_setup("idle", with_arena(512 * kKiB)), wait_without_memory);
}

// The arena is all small segments; what is larger than any of them has them make room as they become free.
coro::Task<void> replace_small_segments(ipc::Port& port, PeerProcess& /*peer*/) {
  for (int i = 0; i < 8; ++i) co_await lend(port, 128 * kKiB);
  std::string held = co_await ask(port, ipc::Message("let go"));
  co_await settle(port);
  const std::string large = pattern(1000 * kKiB);

  auto loan = co_await port.loan(large.size());

  CO_ASSERT_OK(loan.status());
  std::memcpy(loan->data(), large.data(), large.size());
  EXPECT_EQ(port.counters().arena_segment_bytes, 1024 * kKiB);
  std::string counted = co_await ask(port, ipc::Message(*std::move(loan)));
  EXPECT_OK(port.status());
}

TEST_F(LaneRowTest, M2_SmallSegmentsMakeRoomForALargeBlock) {
  ipc::PortOptions options = with_arena(1024 * kKiB);
  options.lane.peer_arena_bytes_max = 1024 * kKiB;  // at the peer, the old ones have to go before the new one comes
  run(peer_setup("hold", options), replace_small_segments);
}

}  // namespace
}  // namespace wharf::test
