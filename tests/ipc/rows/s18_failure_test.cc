// S18, M12: the peer's death, wherever it strikes: everybody who waits learns the same, and nothing leaks.
#include <poll.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

struct Ends {
  std::vector<Status> statuses;
  std::size_t received_count = 0;
  std::size_t end_count = 0;  // of receive()
};

coro::Task<void> send_one(ipc::Port& port, Ends& ends, Tracer& tracer) {
  const std::string payload = pattern(1000);
  ipc::Message message(1, payload);
  message.attach(tracer.take());
  Status sent = co_await port.send(std::move(message));
  ends.statuses.push_back(sent);
}

coro::Task<void> call_one(ipc::Port& port, Ends& ends) {
  auto reply = co_await port.call(ipc::Message("anybody?"));
  ends.statuses.push_back(reply.status());
}

coro::Task<void> borrow_one(ipc::Port& port, Ends& ends) {
  auto loan = co_await port.loan(256 * 1024);
  ends.statuses.push_back(loan.status());
}

coro::Task<void> receive_one(ipc::Port& port, Ends& ends) {
  auto message = co_await port.receive();
  ++(message.has_value() ? ends.received_count : ends.end_count);
}

coro::Task<void> die_while_everybody_waits(ipc::Port& port, PeerProcess& peer) {
  const bool shared = port.uses_shared_memory();
  coro::Scope scope;
  Ends ends;
  Ends early;
  for (int i = 0; i < 3; ++i) scope.spawn(call_one(port, ends));  // sent, and not answered
  co_await next_turn();
  std::size_t waiting = 3;
  if (shared) {
    auto loan = co_await port.loan(256 * 1024);
    CO_ASSERT_OK(loan.status());
    Status sent = co_await port.send(ipc::Message(*std::move(loan)));
    EXPECT_OK(sent);
    EXPECT_EQ(port.counters().blocks_lent_now, 1u);
    scope.spawn(borrow_one(port, ends));
    scope.spawn(borrow_one(port, ends));
    waiting += 2;
  }
  while (true) {  // until the ring or the socket is full
    const std::string payload = pattern(1000);
    Status sent = co_await port.send(ipc::Message(payload), {.deadline_ns = in_ms(5)});
    if (!sent.ok()) break;
  }
  std::vector<Tracer> tracers(4);
  for (Tracer& tracer : tracers) scope.spawn(send_one(port, ends, tracer));
  for (int i = 0; i < 2; ++i) scope.spawn(call_one(port, ends));
  for (int i = 0; i < 2; ++i) scope.spawn(receive_one(port, ends));
  waiting += 6;
  co_await next_turn();
  for (const Status& status : ends.statuses) ADD_FAILURE() << "ended already: " << status;

  co_await peer.kill();
  co_await scope.join();

  const Status& end = port.status();
  EXPECT_EQ(end.code(), StatusCode::kUnavailable);
  CO_ASSERT_EQ(ends.statuses.size(), waiting);
  for (const Status& status : ends.statuses) EXPECT_EQ(status, end);
  EXPECT_EQ(ends.received_count, 0u);
  EXPECT_EQ(ends.end_count, 2u);
  for (Tracer& tracer : tracers) EXPECT_TRUE(tracer.closed_everywhere());
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);

  Ends later;
  Tracer late;
  co_await send_one(port, later, late);
  co_await call_one(port, later);
  co_await borrow_one(port, later);
  co_await receive_one(port, later);
  for (const Status& status : later.statuses) EXPECT_EQ(status, end);
  EXPECT_EQ(later.statuses.size(), 3u);
  EXPECT_EQ(later.end_count, 1u);
  EXPECT_TRUE(late.closed_everywhere());
  bool closed = co_await port.closed();
  EXPECT_TRUE(closed);
}

TEST_P(PortRowTest, S18_EverybodyWhoWaitsLearnsTheSameOfThePeersDeath) {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = 256 * 1024;

  run(setup("idle", options), die_while_everybody_waits);
}

// The messages are in the ring or the kernel, the peer is dead, and so are its descriptors.
coro::Task<void> receive_from_the_dead(ipc::Port& port, PeerProcess& peer) {
  co_await peer.kill();
  bool closed = co_await port.closed();  // the kernel closes its end a little later
  EXPECT_TRUE(closed);
  for (std::uint64_t i = 0; i < 20; ++i) {
    auto message = co_await port.receive();

    CO_ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->type(), i);
    EXPECT_TRUE(message->to_string() == pattern(i * 300, i));
    CO_ASSERT_EQ(message->fd_count(), i % 3);
    for (std::size_t fd = 0; fd < i % 3; ++fd) EXPECT_EQ(number_in(message->take_fd(fd)), i);
  }
  auto end = co_await port.receive();
  EXPECT_FALSE(end.has_value());
}

TEST_P(PortRowTest, S18_WhatThePeerSentBeforeItDiedIsReceived) {
  run(setup("send_twenty"), [](ipc::Port& port, PeerProcess& peer) -> coro::Task<void> {
    co_await peer.until_cued();
    co_await receive_from_the_dead(port, peer);
  });
}

// The same, but it dies without having read what we sent: the kernel then reports a reset before the rest.
coro::Task<void> receive_from_the_deaf(ipc::Port& port, PeerProcess& peer) {
  Status sent = co_await port.send(std::move(ipc::Message("unread").attach(numbered_file(1))));
  EXPECT_OK(sent);
  co_await next_turn();
  peer.cue();
  co_await peer.until_cued();
  co_await receive_from_the_dead(port, peer);
}

TEST_P(PortRowTest, S18_WhatThePeerSentIsReceivedThoughItDiedWithMailUnread) {
  PeerSetup deaf = setup("send_twenty");
  deaf.argument = 1;  // once it is cued

  run(deaf, receive_from_the_deaf);
}

// A send is the first to find out. Blocks the reactor until the kernel has closed the peer's end, so that it is.
coro::Task<void> find_out_by_sending(PeerSetup setup) {
  PeerProcess peer(setup);
  runtime::UniqueFd same_socket = duplicate(peer.link());
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  co_await peer.until_cued();
  Status killed = peer.process().send_signal(SIGKILL);
  EXPECT_OK(killed);
  pollfd end{same_socket.get(), POLLRDHUP, 0};
  while (::poll(&end, 1, -1) < 0) continue;
  same_socket.reset();

  Tracer tracer;
  Status sent = co_await port->send(std::move(ipc::Message("anybody?").attach(tracer.take())));

  EXPECT_EQ(sent.code(), StatusCode::kUnavailable);
  EXPECT_TRUE(tracer.closed_everywhere());
  co_await receive_from_the_dead(*port, peer);
  EXPECT_EQ(port->status(), sent);
}

TEST_P(PortRowTest, S18_WhatThePeerSentIsReceivedThoughASendFoundItDead) {
  run(find_out_by_sending(setup("send_twenty")));
}

coro::Task<void> close_under_everybody(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  Ends ends;
  for (int i = 0; i < 3; ++i) scope.spawn(call_one(port, ends));
  scope.spawn(receive_one(port, ends));
  co_await next_turn();

  port.close();
  port.close();
  co_await scope.join();

  EXPECT_EQ(ends.statuses.size(), 3u);
  for (const Status& status : ends.statuses) EXPECT_EQ(status, port.status());
  EXPECT_EQ(port.status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(ends.end_count, 1u);
  peer.cue();
}

TEST_P(PortRowTest, S18_ClosingThePortEndsEveryWaitAtIt) { run(setup("idle"), close_under_everybody); }

// One link's peer is stopped: the other link goes on; and so does this one when the peer does.
coro::Task<void> stop_one_of_two(PeerSetup setup) {
  PeerProcess stopped(setup);
  PeerProcess running(setup);
  auto to_stopped = co_await stopped.open(setup.port);
  auto to_running = co_await running.open(setup.port);
  CO_ASSERT_TRUE(to_stopped != nullptr && to_running != nullptr);
  Status signalled = stopped.process().send_signal(SIGSTOP);
  EXPECT_OK(signalled);
  co_await until_stopped(stopped.pid());
  coro::Scope scope;
  Ends ends;
  scope.spawn(call_one(*to_stopped, ends));
  co_await next_turn();

  for (int i = 0; i < 100; ++i) {
    std::string back = co_await ask(*to_running, ipc::Message("go on"));
    EXPECT_EQ(back, "go on");
  }
  EXPECT_TRUE(ends.statuses.empty());

  signalled = stopped.process().send_signal(SIGCONT);
  EXPECT_OK(signalled);
  co_await scope.join();
  CO_ASSERT_EQ(ends.statuses.size(), 1u);
  EXPECT_OK(ends.statuses[0]);
  to_stopped.reset();
  to_running.reset();
  co_await stopped.join();
  co_await running.join();
}

TEST_P(PortRowTest, S18_AStoppedPeerHoldsUpItsOwnLinkOnly) { run(stop_one_of_two(setup("echo"))); }

// Killed again and again in the midst of traffic both ways, holding blocks and descriptors.
coro::Task<void> storm(PeerSetup setup) {
  for (int round = 0; round < (kSanitized ? 8 : 25); ++round) {
    PeerProcess peer(setup);
    auto port = co_await peer.open(setup.port);
    CO_ASSERT_TRUE(port != nullptr);
    coro::Scope scope;
    std::uint64_t answered = 0;
    for (int task = 0; task < 6; ++task) {
      scope.spawn(
          [](ipc::Port& to, std::uint64_t& count) -> coro::Task<void> {
            for (std::uint64_t i = 0; true; ++i) {
              const std::string payload = pattern(i % 3 == 0 ? 20'000 : 100, i);
              ipc::Message request(0, payload);
              if (i % 4 == 0) request.attach(numbered_file(i));
              auto reply = co_await to.call(std::move(request));
              if (!reply.ok()) break;
              EXPECT_TRUE(reply->to_string() == payload);
              ++count;
            }
          },
          std::ref(*port), std::ref(answered));
    }
    while (answered < static_cast<std::uint64_t>(10 * round)) co_await next_turn();

    co_await peer.kill();
    co_await scope.join();

    EXPECT_EQ(port->counters().blocks_lent_now, 0u);
    EXPECT_EQ(port->counters().arena_used_bytes, 0u);
  }
}

TEST_P(PortRowTest, S18_AStormOfDeathsLeaksNothing) { run(storm(setup("echo"))); }

// The owner looks once, and has everything back.
coro::Task<void> count_turns(ipc::Port& port, PeerProcess& peer) {
  for (int i = 0; i < 100; ++i) {
    const std::string payload = pattern(3000);
    Status sent = co_await port.send(ipc::Message(payload));
    EXPECT_OK(sent);
  }
  co_await settle(port);
  CO_ASSERT_EQ(port.counters().blocks_lent_now, 100u);
  Status killed = peer.process().send_signal(SIGKILL);
  EXPECT_OK(killed);

  bool closed = co_await port.closed();

  EXPECT_TRUE(closed);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  co_await peer.kill();
}

TEST_F(LaneRowTest, M12_EveryBlockIsBackByTheTurnThatLearnsOfTheDeath) { run(peer_setup("hold_all"), count_turns); }

}  // namespace
}  // namespace wharf::test
