// S6: one order over both paths: descriptors, small and large payload arrive as they were sent.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include "wharf/coro/when_all.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/traffic.h"

namespace wharf::test {
namespace {

constexpr std::uint64_t kCount = kSanitized ? 150 : 600;

coro::Task<void> both_ways(ipc::Port& port, PeerEnd& peer) {
  static_cast<void>(peer);
  auto [sent, received] = co_await coro::when_all(send_in_order(port, kCount, 1), receive_in_order(port, kCount, 2));

  EXPECT_OK(sent);
  EXPECT_OK(received);
  EXPECT_EQ(port.counters().messages_sent, kCount);
  EXPECT_EQ(port.counters().messages_received, kCount);
}

TEST_P(PlaceRowTest, S6_DescriptorsAndPayloadsArriveInOneOrder) {
  PeerSetup ordered = setup("order");
  ordered.argument = kCount;

  run(ordered, both_ways);
}

// Everything is on its way before the peer takes the first: all of it is parked, none is lost.
coro::Task<void> send_before_it_reads(ipc::Port& port, PeerEnd& peer) {
  constexpr std::uint64_t kEarly = 60;
  for (std::uint64_t i = 0; i < kEarly; ++i) {
    const std::string payload(bytes_of(i));
    ipc::Message message(0, payload);
    if (i % 3 != 0) message.attach(numbered_file(i));

    Status sent = co_await port.send(std::move(message));

    EXPECT_OK(sent);
  }
  peer.cue();
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), kEarly);
}

TEST_P(PlaceRowTest, S6_D10_AnyNumberOfEarlyDescriptorsWaitForTheirPlace) { run(setup("late"), send_before_it_reads); }

}  // namespace
}  // namespace wharf::test
