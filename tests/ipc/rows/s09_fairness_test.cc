// S9: a large message shares the reactor, and lets small ones by; in turns and quanta, not in time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/tests/ipc/peers/large.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr std::uint32_t kLarge = 1;
constexpr std::uint32_t kSmall = 2;

// Small enough to be quick, and many quanta on either route.
constexpr std::size_t kLargeBytes = 64 * kMiB;

coro::Task<void> send_plain(ipc::Port& port, std::uint32_t type, std::size_t bytes, StatusCode& outcome) {
  const std::string payload(bytes, static_cast<char>('a' + type));
  Status sent = co_await port.send(ipc::Message(type, payload));
  outcome = sent.code();
}

coro::Task<void> overtake(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  StatusCode large = StatusCode::kUnknown;
  StatusCode small = StatusCode::kUnknown;
  scope.spawn(send_plain(port, kLarge, kLargeBytes, large));
  co_await next_turn();

  for (int i = 0; i < 100; ++i) co_await send_plain(port, kSmall, 64, small);

  EXPECT_EQ(small, StatusCode::kOk);
  EXPECT_EQ(large, StatusCode::kUnknown) << "it is still on its way";
  co_await scope.join();
  EXPECT_EQ(large, StatusCode::kOk);
  std::string answer = co_await ask(port, ipc::Message("in which order?"));
  const auto order = value_of<OrderReport>(answer);
  EXPECT_EQ(order.count, 101u);
  EXPECT_EQ(order.types[100], kLarge) << "its place is where its last byte left";
}

TEST_P(PortRowTest, S9_SmallMessagesOvertakeALargeOne) { run(setup("record_order"), overtake); }

// No turn moves more of a message than its share.
coro::Task<void> count_quanta(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  StatusCode large = StatusCode::kUnknown;
  const std::uint64_t turns_before = runtime::Reactor::current().counters().turns;
  scope.spawn(send_plain(port, kLarge, kLargeBytes, large));

  co_await scope.join();

  const std::uint64_t turns = runtime::Reactor::current().counters().turns - turns_before;
  const std::uint64_t share = port.uses_shared_memory() ? 256 * 1024 : 64 * 1024;
  EXPECT_GE(port.counters().quanta, kLargeBytes / share);
  EXPECT_GE(turns, port.counters().quanta);
  EXPECT_EQ(large, StatusCode::kOk);
}

TEST_P(PortRowTest, S9_ATurnMovesAtMostOneQuantumOfAMessage) { run(setup("record_order"), count_quanta); }

using PortOr = StatusOr<std::unique_ptr<ipc::Port>>;

// Receives until the large message has come; notes how many quanta of it had left when each small one arrived.
coro::Task<void> receive_beside(ipc::Port& from, ipc::Port& to, std::vector<std::uint64_t>& quanta,
                                std::size_t& large_bytes) {
  while (auto message = co_await to.receive()) {
    large_bytes = message->size_bytes();
    if (message->type() == kLarge) break;
    quanta.push_back(from.counters().quanta);
  }
}

// Both ends on one reactor, which makes the turns of both countable.
coro::Task<void> measure_latency(bool shared_memory) {
  ipc::PortOptions options;
  options.shared_memory = shared_memory;
  options.message_bytes_max = 1024 * kMiB;
  auto sockets = ipc::Port::end_pair();
  CO_ASSERT_OK(sockets.status());
  auto [left, right] = co_await coro::when_all(ipc::Port::open(std::move(sockets->first), options),
                                               ipc::Port::open(std::move(sockets->second), options));
  CO_ASSERT_TRUE(left.ok() && right.ok());
  coro::Scope scope;
  StatusCode large = StatusCode::kUnknown;
  StatusCode small = StatusCode::kUnknown;
  const std::size_t large_bytes = shared_memory && !kSanitized ? 1024 * kMiB : kLargeBytes;
  scope.spawn(send_plain(**left, kLarge, large_bytes, large));
  co_await next_turn();

  std::vector<std::uint64_t> arrived;
  std::size_t received_bytes = 0;
  scope.spawn(receive_beside(**left, **right, arrived, received_bytes));
  std::vector<std::uint64_t> sent;
  while (sent.size() < 50) {
    sent.push_back((*left)->counters().quanta);
    co_await send_plain(**left, kSmall, 64, small);
    co_await next_turn();
  }
  EXPECT_EQ(large, StatusCode::kUnknown) << "too small to tell";
  co_await scope.join();

  EXPECT_EQ(large, StatusCode::kOk);
  EXPECT_EQ(received_bytes, large_bytes);
  CO_ASSERT_EQ(arrived.size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_LE(arrived[i] - sent[i], 4u) << i;
}

TEST_P(PortRowTest, S9_ASmallMessageArrivesWithinAFewQuantaOfALargeOne) { run(measure_latency(shared())); }

coro::Task<void> send_and_note(ipc::Port& port, std::vector<std::uint64_t>& quanta_at_end) {
  StatusCode outcome = StatusCode::kUnknown;
  co_await send_plain(port, kLarge, 16 * kMiB, outcome);
  EXPECT_EQ(outcome, StatusCode::kOk);
  quanta_at_end.push_back(port.counters().quanta);
}

coro::Task<void> share(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  std::vector<std::uint64_t> quanta_at_end;
  for (int i = 0; i < 4; ++i) scope.spawn(send_and_note(port, quanta_at_end));

  co_await scope.join();

  const std::uint64_t all = port.counters().quanta;
  CO_ASSERT_EQ(quanta_at_end.size(), 4u);
  EXPECT_GT(quanta_at_end.front(), all / 4 * 3) << "one that had all turns would be done after a quarter";
}

TEST_P(PortRowTest, S9_SeveralLargeMessagesShareInTurn) { run(setup("record_order"), share); }

// More than may be unfinished at once, and smaller ones in several fragments beside them.
coro::Task<void> send_crowd(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  std::vector<StatusCode> outcomes(40, StatusCode::kUnknown);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    scope.spawn(send_plain(port, kLarge, i % 4 == 3 ? 40'000 : 300'000 + i, outcomes[i]));
  }

  co_await scope.join();

  EXPECT_EQ(outcomes, std::vector<StatusCode>(40, StatusCode::kOk));
  std::string answer = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<OrderReport>(answer).count, 40u);
}

TEST_P(PortRowTest, S9_AnyNumberOfLargeMessagesMayBeSentAtOnce) {
  ipc::PortOptions options;
  options.message_bytes_max = 400'000;
  options.lane.arena_bytes_max = 1 * kMiB;

  run(setup("record_order", options), send_crowd);
}

coro::Task<void> close_behind(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  StatusCode large = StatusCode::kUnknown;
  scope.spawn(send_plain(port, kLarge, 16 * kMiB, large));
  co_await next_turn();

  Status closed = co_await port.close_send();

  EXPECT_OK(closed);
  co_await scope.join();
  EXPECT_EQ(large, StatusCode::kOk);
  auto back = co_await port.receive();
  CO_ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->size_bytes(), 16 * kMiB);
}

TEST_P(PortRowTest, S9_CloseSendWaitsForWhatHasBegun) { run(setup("echo"), close_behind); }

// On the lane nothing of it is visible yet: it is undone. On the socket the peer holds a part of it: the rest follows.
coro::Task<void> stop_halfway(ipc::Port& port, PeerProcess& /*peer*/) {
  StatusCode in_arena = StatusCode::kUnknown;
  StatusCode in_file = StatusCode::kUnknown;
  coro::Scope scope;
  scope.spawn(send_plain(port, kLarge, 3 * kMiB, in_arena));
  scope.spawn(send_plain(port, kLarge, kLargeBytes, in_file));
  co_await next_turn();

  scope.cancel();
  co_await scope.join();

  const bool shared = port.uses_shared_memory();
  EXPECT_EQ(in_arena, shared ? StatusCode::kCancelled : StatusCode::kOk);
  EXPECT_EQ(in_file, shared ? StatusCode::kCancelled : StatusCode::kOk);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  std::string answer = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<OrderReport>(answer).count, shared ? 0u : 2u);
}

TEST_P(PortRowTest, S9_ALargeMessageThatIsStoppedIsUndoneOrFinished) { run(setup("record_order"), stop_halfway); }

}  // namespace
}  // namespace wharf::test
