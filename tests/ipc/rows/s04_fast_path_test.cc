// S4: every message goes into the ring, whatever its size; without shared memory, all of it through the socket.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

// Around the sizes at which the route changes: in place, a cell, inline_bytes_max, a packet, a block.
constexpr std::array<std::size_t, 20> kSizes = {0,          1,          31,          32,        33,      64,     65,
                                                1023,       1024,       1025,        5000,      16'383,  16'384, 16'385,
                                                256 * 1024, 300 * 1024, 1024 * 1024, 3'000'001, 3 << 20, 7};

coro::Task<void> echo_every_size(ipc::Port& port, PeerEnd& /*peer*/) {
  std::uint64_t bytes = 0;
  for (const std::size_t size : kSizes) {
    const std::string payload = pattern(size, size + 1);
    bytes += size;

    std::string back = co_await ask(port, ipc::Message(1, payload));

    EXPECT_EQ(back.size(), size);
    EXPECT_TRUE(back == payload) << "of " << size << " bytes";
  }
  const ipc::PortCounters counters = port.counters();
  EXPECT_EQ(counters.messages_sent, kSizes.size());
  EXPECT_EQ(counters.messages_received, kSizes.size());
  EXPECT_EQ(counters.bytes_sent, bytes);
  EXPECT_EQ(counters.bytes_received, bytes);
  const bool shared = port.uses_shared_memory();
  EXPECT_EQ(counters.sent_shared_memory, shared ? kSizes.size() : 0);
  EXPECT_EQ(counters.sent_socket, shared ? 0 : kSizes.size());
}

TEST_P(PlaceRowTest, S4_EverySizeArrivesWholeByTheRoutesOwnWay) { run(setup("echo"), echo_every_size); }

// What does not need the socket makes no call on it.
coro::Task<void> stay_off_the_socket(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string small = pattern(1024);
  for (int i = 0; i < 100; ++i) {
    Status sent = co_await port.send(ipc::Message(small));
    EXPECT_OK(sent);
  }
  co_await settle(port);
  EXPECT_EQ(port.counters().socket_sends, 0u);
  EXPECT_EQ(port.counters().socket_receives, 0u);
  EXPECT_EQ(port.counters().bytes_copied_to_arena, 0u);

  const std::string large = pattern(100'000);
  for (int i = 0; i < 100; ++i) {
    std::string count = co_await ask(port, ipc::Message(large));
    EXPECT_FALSE(count.empty());
  }
  EXPECT_EQ(port.counters().socket_sends, 1u) << "the one arena segment is announced once";
}

TEST_F(LaneRowTest, S4_TheSocketCarriesSegmentsAndDescriptorsAlone) {
  run(peer_setup("describe"), stay_off_the_socket);
}

coro::Task<void> carry_descriptors_beside(ipc::Port& port, PeerProcess& /*peer*/) {
  auto reply = co_await port.call(std::move(ipc::Message("payload").attach(numbered_file(5))));

  CO_ASSERT_OK(reply.status());
  const ipc::PortCounters counters = port.counters();
  EXPECT_EQ(counters.sent_shared_memory, 1u);
  EXPECT_EQ(counters.sent_socket, 0u);
  EXPECT_EQ(counters.socket_sends, 1u);
  EXPECT_EQ(counters.socket_receives, 1u);
}

TEST_F(LaneRowTest, S4_DescriptorsRideTheSocketBesideTheRecord) { run(peer_setup("echo"), carry_descriptors_beside); }

// The peer's limit of inline payload holds for us, and ours for it.
coro::Task<void> cross_inline_limits(ipc::Port& port, PeerProcess& /*peer*/) {
  for (const std::size_t size : {0, 1, 99, 100, 101, 1999, 2000, 2001, 2047, 2048, 2049}) {
    const std::string payload = pattern(size);

    std::string back = co_await ask(port, ipc::Message(payload));

    EXPECT_TRUE(back == payload) << "of " << size << " bytes";
  }
}

TEST_F(LaneRowTest, S4_EachSideKeepsToTheOthersInlineLimit) {
  ipc::PortOptions small;
  small.lane.inline_bytes_max = 100;
  ipc::PortOptions large;
  large.lane.inline_bytes_max = 2048;
  ipc::PortOptions none;
  none.lane.inline_bytes_max = 0;

  run(peer_setup("echo", small), large, cross_inline_limits);
  run(peer_setup("echo", large), small, cross_inline_limits);
  run(peer_setup("echo", none), none, cross_inline_limits);
}

}  // namespace
}  // namespace wharf::test
