// S7: a full ring or socket: senders wait in order, within a bound, and are woken by an event.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

// What became of the sends of a test, in the order in which they ended.
struct Outcome {
  std::uint64_t number;
  StatusCode code;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};
using Outcomes = std::vector<Outcome>;

coro::Task<void> send_numbered(ipc::Port& port, Outcomes& outcomes, std::uint64_t number, std::size_t size_bytes,
                               std::int64_t deadline_ns) {
  std::string payload(bytes_of(number));
  payload.resize(size_bytes, 'x');
  Status sent = co_await port.send(ipc::Message(payload), {.deadline_ns = deadline_ns});
  outcomes.push_back({number, sent.code()});
}

// Sends numbered messages until one has to wait. Returns how many went.
coro::Task<std::uint64_t> fill(ipc::Port& port, coro::Scope& scope, Outcomes& outcomes, std::size_t size_bytes) {
  std::uint64_t number = 0;
  const std::uint64_t waits_before = port.counters().waits;
  while (port.counters().waits == waits_before) {
    scope.spawn(send_numbered(port, outcomes, number++, size_bytes, 0));
    co_await next_turn();
  }
  co_return number - 1;
}

coro::Task<void> wait_in_order(ipc::Port& port, PeerEnd& peer) {
  coro::Scope scope;
  Outcomes outcomes;
  const std::uint64_t went = co_await fill(port, scope, outcomes, 1000);
  EXPECT_EQ(outcomes.size(), went);
  for (std::uint64_t i = 1; i < 20; ++i) {
    scope.spawn(send_numbered(port, outcomes, went + i, i % 2 == 0 ? 1000 : 8, 0));
  }
  co_await next_turn();
  EXPECT_EQ(outcomes.size(), went) << "a small one does not overtake";

  peer.cue();  // it checks the order too
  co_await scope.join();

  CO_ASSERT_EQ(outcomes.size(), went + 20);
  for (std::uint64_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i], (Outcome{i, StatusCode::kOk}));
  }
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), went + 20);
}

TEST_P(PlaceRowTest, S7_SendersWaitInOrderAndNothingIsLost) { run(setup("late"), wait_in_order); }

coro::Task<void> wait_within_the_bound(ipc::Port& port, PeerEnd& peer) {
  coro::Scope scope;
  Outcomes outcomes;
  const std::uint64_t went = co_await fill(port, scope, outcomes, 1000);
  for (std::uint64_t i = 1; i < 5; ++i) scope.spawn(send_numbered(port, outcomes, went + i, 1000, 0));
  co_await next_turn();
  EXPECT_EQ(outcomes.size(), went) << "as many may wait";

  Tracer tracer;
  Status sent = co_await port.send(std::move(ipc::Message("one too many").attach(tracer.take())));
  EXPECT_EQ(sent.code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(tracer.closed_everywhere());
  auto reply = co_await port.call(ipc::Message("a call, too"));
  EXPECT_EQ(reply.status().code(), StatusCode::kResourceExhausted);

  peer.cue();
  co_await scope.join();
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), went + 5);
}

TEST_P(PlaceRowTest, S7_WaitingIsBoundedAndTheNextOneIsRefused) {
  ipc::PortOptions options;
  options.waiting_count_max = 5;

  run(setup("late", options), wait_within_the_bound);
}

// The peer looks whether we sleep before it makes room: only an event can wake us.
coro::Task<void> wake_by_event(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  Outcomes outcomes;
  const std::uint64_t went = co_await fill(port, scope, outcomes, 1000);

  peer.cue();
  co_await scope.join();

  EXPECT_EQ(outcomes.size(), went + 1);
}

TEST_P(PortRowTest, S7_AWaitingSenderSleepsAndIsWokenByRoom) { run(setup("read_when_the_test_sleeps"), wake_by_event); }

coro::Task<void> give_up(ipc::Port& port, PeerEnd& peer) {
  coro::Scope scope;
  coro::Scope stopped_scope;
  Outcomes outcomes;
  const std::uint64_t went = co_await fill(port, scope, outcomes, 1000);
  Outcomes late;
  stopped_scope.spawn(send_numbered(port, late, 1, 1000, 0));
  scope.spawn(send_numbered(port, late, 2, 1000, in_ms(20)));
  scope.spawn(send_numbered(port, late, 3, 1000, in_ms(10)));
  co_await next_turn();

  stopped_scope.cancel();
  co_await stopped_scope.join();
  while (late.size() < 3) co_await next_turn();

  // On a busy machine the deadlines pass before the stop: then 1 comes behind them.
  std::erase(late, Outcome{1, StatusCode::kCancelled});
  const Outcomes expected = {{3, StatusCode::kDeadlineExceeded}, {2, StatusCode::kDeadlineExceeded}};
  EXPECT_TRUE(late == expected) << "and 1 was cancelled";
  peer.cue();
  co_await scope.join();
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), went + 1) << "of those that gave up nothing was sent";
}

TEST_P(PlaceRowTest, S7_ASenderMayGiveUpAndNothingOfItIsSent) { run(setup("late"), give_up); }

// The first fragment is out: the rest follows, whatever the deadline and the stop say, and whenever they say it.
coro::Task<void> finish_what_has_begun(ipc::Port& port, PeerProcess& peer) {
  constexpr std::size_t kLarge = 3 << 20;
  coro::Scope scope;
  coro::Scope stopped_at_once;
  coro::Scope stopped_before;
  Outcomes outcomes;
  scope.spawn(send_numbered(port, outcomes, 0, kLarge, in_ms(5)));
  co_await next_turn();
  bool elapsed = co_await runtime::sleep_until(in_ms(6));
  EXPECT_TRUE(elapsed);
  EXPECT_TRUE(outcomes.empty());
  peer.cue();
  co_await scope.join();
  // An answer tells that the socket is empty again, so that the next message begins at once.
  std::string so_far = co_await ask(port, ipc::Message("how many?"));

  stopped_at_once.spawn(send_numbered(port, outcomes, 1, kLarge, 0));
  co_await next_turn();
  stopped_at_once.cancel();
  co_await stopped_at_once.join();
  so_far = co_await ask(port, ipc::Message("how many?"));

  stopped_before.cancel();
  stopped_before.spawn(send_numbered(port, outcomes, 99, kLarge, 0));
  co_await stopped_before.join();
  so_far = co_await ask(port, ipc::Message("how many?"));

  scope.spawn(send_numbered(port, outcomes, 2, kLarge, 1));  // has expired
  co_await scope.join();

  const Outcomes expected = {
      {0, StatusCode::kOk}, {1, StatusCode::kOk}, {99, StatusCode::kCancelled}, {2, StatusCode::kOk}};
  EXPECT_TRUE(outcomes == expected);
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), 3u);
}

TEST_F(PortTest, S7_AMessageWhoseFirstFragmentIsOutIsFinished) {
  PeerSetup late = peer_setup("late");
  late.port.shared_memory = false;

  run(late, finish_what_has_begun);
}

// The first waits for memory until its deadline; what is behind it needs none.
coro::Task<void> go_on_behind_one_that_gave_up(ipc::Port& port, PeerProcess& /*peer*/) {
  coro::Scope scope;
  Outcomes outcomes;
  const std::string half(128 * 1024, 'x');
  for (int i = 0; i < 2; ++i) {
    Status sent = co_await port.send(ipc::Message(half));  // the peer keeps it
    EXPECT_OK(sent);
  }
  scope.spawn(send_numbered(port, outcomes, 0, half.size(), in_ms(10)));
  scope.spawn(send_numbered(port, outcomes, 1, 8, 0));

  co_await scope.join();

  const Outcomes expected = {{0, StatusCode::kDeadlineExceeded}, {1, StatusCode::kOk}};
  EXPECT_TRUE(outcomes == expected);
  std::string held = co_await ask(port, ipc::Message("let go"));
  EXPECT_EQ(value_of<std::uint64_t>(held), 3u);
}

TEST_F(LaneRowTest, S7_WhoeverWaitsBehindOneThatGaveUpGoesOn) {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = 256 * 1024;

  run(peer_setup("hold", options), go_on_behind_one_that_gave_up);
}

// The ring has room, the socket beside it has not: messages with descriptors wait for it, those behind for them.
coro::Task<void> fill_the_socket_beside(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  Outcomes outcomes;
  std::uint64_t count = 0;
  while (port.counters().waits == 0) {
    scope.spawn(
        [](ipc::Port& to, Outcomes& into, std::uint64_t number) -> coro::Task<void> {
          const std::string payload(bytes_of(number));
          ipc::Message message(0, payload);
          for (int i = 0; i < 16; ++i) message.attach(numbered_file(number));
          Status sent = co_await to.send(std::move(message));
          into.push_back({number, sent.code()});
        },
        std::ref(port), std::ref(outcomes), count++);
    co_await next_turn();
  }
  EXPECT_EQ(outcomes.size(), count - 1);
  scope.spawn(send_numbered(port, outcomes, count++, 8, 0));
  co_await next_turn();
  EXPECT_EQ(outcomes.size(), count - 2);

  peer.cue();
  co_await scope.join();

  for (std::uint64_t i = 0; i < count; ++i) EXPECT_EQ(outcomes[i], (Outcome{i, StatusCode::kOk}));
  std::string seen = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(seen), count);
}

TEST_F(LaneRowTest, S7_AFullSocketBesideTheRingHoldsTheOrder) {
  ipc::PortOptions options;
  options.lane.ring_bytes = 1024 * 1024;
  options.packet_bytes_max = 1024;

  run(peer_setup("late", options), fill_the_socket_beside);
}

}  // namespace
}  // namespace wharf::test
