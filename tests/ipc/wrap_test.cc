// Links whose every counter begins just below where 16, 32 and 64 bits end: positions, epochs, generations of blocks and
// calls, sequences of packets. Real processes pass the wrap with traffic both ways.
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "wharf/coro/when_all.h"
#include "wharf/ipc/detail/call_table.h"
#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/traffic.h"

namespace wharf::test {
namespace {

// At the last value itself, too: then the first use wraps.
constexpr std::uint64_t kStarts[] = {0xffff - 20,
                                     0xffff,
                                     0xffff'ffff - 20,
                                     0xffff'ffff,
                                     std::numeric_limits<std::uint64_t>::max() - 20,
                                     std::numeric_limits<std::uint64_t>::max()};
constexpr std::uint64_t kCount = 120;

ipc::PortOptions from(std::uint64_t start) {
  ipc::PortOptions options;
  options.lane.first_position = start;
  return options;
}

coro::Task<void> both_ways(ipc::Port& port, PeerProcess& peer) {
  static_cast<void>(peer);
  auto [sent, received] = co_await coro::when_all(send_in_order(port, kCount, 1), receive_in_order(port, kCount, 2));

  EXPECT_OK(sent);
  EXPECT_OK(received);
}

TEST_P(PortRowTest, D8_WrapOfNoCounterLosesOrStopsAMessage) {
  for (const std::uint64_t start : kStarts) {
    SCOPED_TRACE(start);
    PeerSetup ordered = setup("order", from(start));
    ordered.argument = kCount;

    run(ordered, both_ways);
  }
}

// One call after the other, each with blocks and descriptors both ways.
coro::Task<void> call_on(ipc::Port& port, PeerProcess& peer) {
  static_cast<void>(peer);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const std::string payload = pattern(i % 3 == 0 ? 5000 : 20, i);
    ipc::Message request(static_cast<std::uint32_t>(i), payload);
    request.attach(numbered_file(i));

    auto reply = co_await port.call(std::move(request));

    CO_ASSERT_OK(reply.status());
    EXPECT_EQ(reply->type(), static_cast<std::uint32_t>(i));
    EXPECT_EQ(reply->to_string(), payload);
    EXPECT_EQ(reply->fd_count(), 1u);
    EXPECT_EQ(number_in(reply->take_fd(0)), i);
  }
}

TEST_P(PortRowTest, D8_WrapIsPassedByCallsThatSleepEachTime) {
  set_reactor({.spin_ns = 0});
  for (const std::uint64_t start : kStarts) {
    SCOPED_TRACE(start);
    PeerSetup sleepy = setup("echo", from(start));
    sleepy.spin_ns = 0;

    run(sleepy, call_on);
  }
}

// The request's block comes home as the reply's payload, without a copy, round and round.
coro::Task<void> lend_on(ipc::Port& port, PeerProcess& peer) {
  static_cast<void>(peer);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const std::string payload = pattern(3000, i);
    auto loan = co_await port.loan(payload.size());
    CO_ASSERT_OK(loan.status());
    payload.copy(reinterpret_cast<char*>(loan->data()), payload.size());
    ipc::Message request(0, *std::move(loan));

    auto reply = co_await port.call(std::move(request));

    CO_ASSERT_OK(reply.status());
    EXPECT_EQ(reply->to_string(), payload);
  }
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_F(PortTest, D8_WrapOfTheGenerationsBringsEveryBlockHome) {
  for (const std::uint64_t start : kStarts) {
    SCOPED_TRACE(start);
    ipc::PortOptions options = from(start);
    options.lane.release_slot_count = 256;

    run(peer_setup("give_back", options), lend_on);
  }
}

TEST(CallTableTest, WrapOfTheGenerationKeepsAnOldStreamUnknown) {
  ipc::detail::CallTable<int> table(0xffff'fff0);
  int call = 0;
  std::uint64_t old_stream = table.add(call);
  for (int round = 0; round < 64; ++round) {
    table.remove(old_stream);
    const std::uint64_t stream = table.add(call);

    EXPECT_NE(stream, 0u);
    EXPECT_EQ(table.find(stream), &call);
    EXPECT_EQ(table.find(old_stream), nullptr);
    old_stream = stream;
  }
}

TEST(WrapTest, WrapOfTheSequenceIsNoViolation) {
  using ipc::detail::PacketSocket;
  for (const std::uint64_t start : kStarts) {
    auto sockets = ipc::Port::end_pair();
    ASSERT_TRUE(sockets.ok());
    PacketSocket sender(sockets->first.take_socket(), 1024, {}, start);
    PacketSocket receiver(sockets->second.take_socket(), 1024, {}, start);
    for (int i = 0; i < 40; ++i) {
      ipc::detail::PacketHeader header{};
      header.kind = ipc::detail::PacketKind::kMessage;

      ASSERT_EQ(sender.send(header, {}, {}), PacketSocket::Sent::kSent);

      ASSERT_EQ(receiver.receive(), PacketSocket::Got::kPacket) << receiver.status();
    }
  }
}

}  // namespace
}  // namespace wharf::test
