// Defects that older port layers had, of deaths and failures: D1, D2, D3, D5, D33, D34, D35, D42, D45; and U3.
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/kill/survivor.h"

namespace wharf::test {
namespace {
namespace sys = runtime::sys;

coro::Task<void> receive_what_was_not_rung_for(PeerSetup setup) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  peer.cue();

  auto message = co_await port->receive();

  CO_ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->to_string(), "not rung for");
  auto end = co_await port->receive();
  EXPECT_FALSE(end.has_value());
  EXPECT_EQ(port->counters().wakes, 0u);
  auto ended = co_await peer.process().wait();
  EXPECT_TRUE(ended.ok() && ended->signal == SIGKILL);
}

TEST_F(LaneRowTest, D1_AMessageIsReceivedThoughItsSenderDiedBeforeItRang) {
  run(receive_what_was_not_rung_for(fault_peer("send_and_die_before_the_ring", {})));
}

TEST_F(LaneRowTest, D2_ASenderThatDiesAtAnyStoreHasSentAMessageOrNothingOfIt) {
  run(survive_every_step(Role::kPeerSends, true, {.action = FaultAction::kKill, .steps = FaultSteps::stores()},
                         restart_watchdog));
}

TEST_F(LaneRowTest, D5_AReceiverThatDiesAwakeAtAnyStoreStopsNobody) {
  run(survive_every_step(Role::kPeerServes, true, {.action = FaultAction::kKill, .steps = FaultSteps::stores()},
                         restart_watchdog));
}

ipc::Message numbered(std::uint32_t number) {
  ipc::Message message(number);
  message.attach(numbered_file(number));
  return message;
}

coro::Task<void> expect_numbered(ipc::Port& port, std::uint32_t number) {
  auto message = co_await port.receive();
  CO_ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->type(), number);
  CO_ASSERT_EQ(message->fd_count(), 1u);
  EXPECT_EQ(number_in(message->take_fd(0)), number);
}

// Every second packet is refused, for every reason that refuses a packet: the others arrive, each with its descriptor.
coro::Task<void> refuse_every_second(ipc::Port& port, PeerProcess&) {
  const std::uint64_t sent_before = port.counters().messages_sent;
  std::uint32_t number = 0;
  for (const int error : {ETOOMANYREFS, ENOMEM, EMFILE}) {
    {
      const sys::FailureInjection failure(1, error, sys::Call::kSendmsg);
      Status refused = co_await port.send(numbered(++number));
      EXPECT_TRUE(failure.fired());
      EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted) << refused;
      EXPECT_EQ(refused.message().substr(0, 5), "send:");
    }
    Status sent = co_await port.send(numbered(++number));
    EXPECT_OK(sent);
    co_await expect_numbered(port, number);
  }
  EXPECT_EQ(port.counters().messages_sent - sent_before, number / 2);
  EXPECT_EQ(port.counters().messages_received, number / 2);
}

TEST_P(PortRowTest, D3_ARefusedPacketLeavesTheOrderOfTheOthers) { run(setup("echo"), refuse_every_second); }
TEST_P(PortRowTest, D42_NoCounterDriftsWhenSendsFail) { run(setup("echo"), refuse_every_second); }

// A message with a loan, where there are any, plain bytes, and so many traced descriptors.
coro::Task<ipc::Message> laden(ipc::Port& port, std::string_view plain, std::vector<Tracer>& tracers) {
  ipc::Message message(1);
  if (port.uses_shared_memory()) {
    auto loan = co_await port.loan(5'000);
    EXPECT_OK(loan.status());
    if (loan.ok()) message.append(*std::move(loan));
  }
  message.append(plain);
  for (Tracer& tracer : tracers) message.attach(tracer.take());
  co_return message;
}

void expect_all_home(const ipc::Port& port, const std::vector<Tracer>& tracers) {
  for (const Tracer& tracer : tracers) EXPECT_TRUE(tracer.closed_everywhere());
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
}

coro::Task<void> refuse_laden(ipc::Port& port, std::size_t fd_count, std::size_t plain_bytes) {
  std::vector<Tracer> tracers(fd_count);
  const std::string plain = pattern(plain_bytes);
  ipc::Message message = co_await laden(port, plain, tracers);
  Status sent = co_await port.send(std::move(message));
  EXPECT_FALSE(sent.ok());
  expect_all_home(port, tracers);
}

coro::Task<void> refuse_in_every_way(ipc::Port& port, PeerProcess&) {
  co_await refuse_laden(port, 17, 100);        // too many descriptors
  co_await refuse_laden(port, 3, 400 * 1024);  // too large: the options below
  for (const int error : {ETOOMANYREFS, EMFILE, ENOMEM}) {
    const sys::FailureInjection failure(1, error, sys::Call::kSendmsg);
    co_await refuse_laden(port, 2, 3'000);
    EXPECT_TRUE(failure.fired());
  }
  const std::string back = co_await ask(port, ipc::Message("well?"));
  EXPECT_EQ(back, "well?");
}

TEST_P(PortRowTest, D33_ARefusedSendLeaksNeitherMemoryNorDescriptors) {
  ipc::PortOptions options;
  options.message_bytes_max = 300 * 1024;
  run(setup("echo", options), refuse_in_every_way);
}

coro::Task<void> fail_under_a_send(ipc::Port& port, PeerProcess&) {
  std::vector<Tracer> tracers(2);
  const std::string plain = pattern(3'000);
  ipc::Message message = co_await laden(port, plain, tracers);
  {
    const sys::FailureInjection failure(1, EPIPE, sys::Call::kSendmsg);

    Status sent = co_await port.send(std::move(message));

    EXPECT_TRUE(failure.fired());
    EXPECT_EQ(sent.code(), StatusCode::kUnavailable);
    EXPECT_EQ(sent, port.status());
  }
  expect_all_home(port, tracers);
}

TEST_P(PortRowTest, D34_ASendThatFindsTheLinkBrokenGivesEverythingBack) { run(setup("echo"), fail_under_a_send); }

coro::Task<void> expect_number_among(ipc::Port& port, std::uint64_t number, bool& seen) {
  while (!seen) {
    auto message = co_await port.receive();
    CO_ASSERT_TRUE(message.has_value());
    seen = message->fd_count() == 1;
    if (!seen) continue;
    EXPECT_EQ(number_in(message->take_fd(0)), number);
  }
}

coro::Task<void> send_numbered(ipc::Port& port, std::uint32_t number) {
  Status sent = co_await port.send(numbered(number));
  EXPECT_OK(sent);
}

// The peer is stopped and its ring, or socket, full: the message waits, and descriptor numbers are closed and reused.
coro::Task<void> reuse_numbers_while_it_waits(ipc::Port& port, PeerProcess& peer) {
  Status signalled = peer.process().send_signal(SIGSTOP);
  EXPECT_OK(signalled);
  co_await until_stopped(peer.pid());
  Status sent;
  while (sent.ok()) sent = co_await port.send(ipc::Message(1, "fills it"), {.deadline_ns = in_ms(20)});
  EXPECT_EQ(sent.code(), StatusCode::kDeadlineExceeded);
  coro::Scope scope;
  scope.spawn(send_numbered(port, 777));
  co_await next_turn();
  for (std::uint64_t i = 0; i < 50; ++i) numbered_file(i).reset();
  std::vector<runtime::UniqueFd> others;
  for (std::uint64_t i = 0; i < 50; ++i) others.push_back(numbered_file(i));

  bool seen = false;
  scope.spawn(expect_number_among(port, 777, seen));
  signalled = peer.process().send_signal(SIGCONT);
  EXPECT_OK(signalled);
  co_await scope.join();

  EXPECT_TRUE(seen);
}

TEST_P(PortRowTest, D35_AMessageThatWaitsKeepsItsDescriptorsOpen) { run(setup("echo"), reuse_numbers_while_it_waits); }

coro::Task<void> send_after_the_end(ipc::Port& port, PeerProcess& peer) {
  co_await peer.kill();
  bool closed = co_await port.closed();
  EXPECT_TRUE(closed);
  for (int i = 0; i < 100; ++i) {
    std::vector<Tracer> tracers(1);
    ipc::Message message(1, "too late");
    message.attach(tracers[0].take());
    Status sent = co_await port.send(std::move(message));
    EXPECT_EQ(sent, port.status());
    expect_all_home(port, tracers);
  }
}

TEST_P(PortRowTest, D45_AFailedPortAcceptsNothing) { run(setup("echo"), send_after_the_end); }

// Two links to one process: each learns of its death by itself.
coro::Task<void> kill_the_other_end_of_two(PeerSetup setup) {
  PeerProcess peer(setup);
  auto first = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(first != nullptr);
  auto sockets = ipc::Port::end_pair();
  CO_ASSERT_OK(sockets.status());
  Status sent = co_await first->send(std::move(ipc::Message("open this").attach(sockets->second.take_socket())));
  EXPECT_OK(sent);
  auto second = co_await ipc::Port::open(std::move(sockets->first), setup.port);
  CO_ASSERT_OK(second.status());
  auto greeting = co_await (*second)->receive();
  EXPECT_TRUE(greeting.has_value());

  co_await peer.kill();

  for (ipc::Port* port : {first.get(), second->get()}) {
    auto end = co_await port->receive();
    EXPECT_FALSE(end.has_value());
    EXPECT_EQ(port->status().code(), StatusCode::kUnavailable);
  }
  EXPECT_EQ(first->status(), (*second)->status());
}

TEST_P(PortRowTest, U3_EveryLinkToADeadProcessLearnsOfItByItself) {
  run(kill_the_other_end_of_two(fault_peer("two_links", setup("").port)));
}

}  // namespace
}  // namespace wharf::test
