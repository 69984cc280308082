// S15: the reader: sleeps when there is nothing, misses nothing, and lets no peer have more than its share of a turn.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::uint32_t kShare = 10;

struct Flood {
  std::uint64_t received = 0;
  std::uint64_t most_in_a_turn = 0;
};

coro::Task<void> receive_flood(ipc::Port& port, Flood& flood) {
  std::uint64_t turn = 0;
  std::uint64_t in_this_turn = 0;
  while (auto message = co_await port.receive()) {
    ++flood.received;
    const std::uint64_t now = runtime::Reactor::current().counters().turns;
    in_this_turn = now == turn ? in_this_turn + 1 : 1;
    turn = now;
    if (in_this_turn > flood.most_in_a_turn) flood.most_in_a_turn = in_this_turn;
  }
}

coro::Task<void> withstand(PeerSetup flooding, PeerSetup serving) {
  PeerProcess flooder(flooding);
  PeerProcess server(serving);
  auto from_flooder = co_await flooder.open(flooding.port);
  auto to_server = co_await server.open(serving.port);
  CO_ASSERT_TRUE(from_flooder != nullptr && to_server != nullptr);
  coro::Scope scope;
  Flood flood;
  scope.spawn(receive_flood(*from_flooder, flood));
  while (flood.received < 1000) co_await next_turn();

  for (int i = 0; i < 50; ++i) {
    std::string back = co_await ask(*to_server, ipc::Message("in between"));
    EXPECT_EQ(back, "in between");
  }

  while (flood.received < 5000) co_await next_turn();
  EXPECT_LE(flood.most_in_a_turn, kShare);
  EXPECT_GT(flood.most_in_a_turn, 0u);
  from_flooder->close();
  co_await scope.join();
  from_flooder.reset();
  to_server.reset();
  co_await flooder.join();
  co_await server.join();
}

TEST_P(PortRowTest, S15_APeerThatFloodsHasItsShareOfATurnAndNoMore) {
  ipc::PortOptions options;
  options.turn_message_count_max = kShare;

  run(withstand(setup("flood", options), setup("echo")));
}

constexpr std::uint64_t kSegments = 60;

// Segments that are mapped and unmapped count like messages, though no task sees them.
coro::Task<void> watch_segments(PeerSetup setup) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  std::uint64_t most_in_a_turn = 0;
  bool over = false;
  coro::Scope scope;
  scope.spawn(
      [](ipc::Port& from, bool& done) -> coro::Task<void> {
        auto message = co_await from.receive();
        EXPECT_TRUE(message.has_value());
        done = true;
      },
      std::ref(*port), std::ref(over));

  while (!over) {
    const std::uint64_t before = port->counters().socket_receives;
    co_await coro::yield();
    most_in_a_turn = std::max(most_in_a_turn, port->counters().socket_receives - before);
  }

  co_await scope.join();
  EXPECT_EQ(port->counters().socket_receives, kSegments);
  EXPECT_LE(most_in_a_turn, kShare);
  port.reset();
  co_await peer.join();
}

TEST_F(LaneRowTest, S15_SegmentsThatComeAndGoHaveTheirShareOfATurnToo) {
  PeerSetup setup = peer_setup("segments_come_and_go");
  setup.argument = kSegments;
  setup.port.turn_message_count_max = kShare;

  run(watch_segments(setup));
}

coro::Task<void> sleep_between(ipc::Port& port, PeerProcess& /*peer*/) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    auto message = co_await port.receive();  // is sent when this process sleeps, and not before
    CO_ASSERT_TRUE(message.has_value());
    EXPECT_EQ(value_of<std::uint64_t>(message->to_string()), i);
    Status sent = co_await message->reply(ipc::Message("next"));
    EXPECT_OK(sent);
  }
}

TEST_P(PortRowTest, S15_TheReaderSleepsAndIsWokenByEveryMessage) {
  run(setup("call_when_the_test_sleeps"), sleep_between);
}

// The reactor has no rest: somebody is always ready. The link that brings nothing is looked at no more, until it rings.
coro::Task<void> be_quiet_beside_a_busy_task(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  std::uint64_t received = 0;
  scope.spawn(
      [](ipc::Port& from, std::uint64_t& count) -> coro::Task<void> {
        while (auto message = co_await from.receive()) ++count;
      },
      std::ref(port), std::ref(received));
  const runtime::Reactor& reactor = runtime::Reactor::current();
  while (reactor.counters().pollers_aged == 0) co_await coro::yield();
  EXPECT_EQ(reactor.counters().spins, 0u);
  EXPECT_EQ(port.counters().sleeps, 1u);

  peer.cue();
  while (received < 20) co_await coro::yield();

  peer.cue();
  port.close();
  co_await scope.join();
}

TEST_F(LaneRowTest, S15_AQuietLinkIsLeftToItsDoorbellWhileTheReactorIsBusy) {
  PeerSetup setup = peer_setup("send_twenty");
  setup.argument = 1;
  set_reactor({.spin_ns = 0});

  run(setup, be_quiet_beside_a_busy_task);
}

}  // namespace
}  // namespace wharf::test
