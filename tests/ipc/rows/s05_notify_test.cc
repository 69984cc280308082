// S5: no system call while the peer is awake; one ring per sleep; none is lost, and one that failed is owed.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

coro::Task<ipc::PortCounters> ask_counters(ipc::Port& port) {
  std::string answer = co_await ask(port, ipc::Message("counters?"));
  co_return value_of<ipc::PortCounters>(answer);
}

coro::Task<void> talk_while_awake(ipc::Port& port, PeerProcess& /*peer*/) {
  constexpr int kCalls = 5000;
  ipc::PortCounters theirs_before = co_await ask_counters(port);
  theirs_before = co_await ask_counters(port);  // both have seen each other awake
  const ipc::PortCounters ours_before = port.counters();
  const std::uint64_t sleeps_before = runtime::Reactor::current().counters().sleeps;

  for (int i = 0; i < kCalls; ++i) {
    std::string answer = co_await ask(port, ipc::Message("a"));
    EXPECT_FALSE(answer.empty());
  }

  const ipc::PortCounters ours = port.counters();
  ipc::PortCounters theirs = co_await ask_counters(port);
  EXPECT_GE(ours.messages_sent - ours_before.messages_sent, 1u * kCalls);
  EXPECT_EQ(ours.doorbells_rung - ours_before.doorbells_rung, 0u);
  EXPECT_EQ(theirs.doorbells_rung - theirs_before.doorbells_rung, 0u);
  EXPECT_EQ(theirs.wakes - theirs_before.wakes, 0u);
  EXPECT_EQ(ours.system_calls(), ours_before.system_calls());
  EXPECT_EQ(theirs.system_calls(), theirs_before.system_calls());
  EXPECT_EQ(runtime::Reactor::current().counters().sleeps, sleeps_before);
}

TEST_F(LaneRowTest, S5_NoDoorbellWhileBothAreAwake) {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) GTEST_SKIP() << "needs two processors";
  const PinnedTo pinned(cpus[0]);
  PeerSetup setup = peer_setup("count");
  setup.cpu = cpus[1];
  setup.spin_ns = runtime::kSpinAlways;
  set_reactor({.spin_ns = runtime::kSpinAlways});

  run(setup, talk_while_awake);
}

// Every batch finds the peer asleep: one ring each, however many messages and turns are in it.
coro::Task<void> ring_a_sleeper(ipc::Port& port, PeerProcess& peer) {
  constexpr int kSleeps = 10;
  constexpr int kMessages = 40;
  for (int i = 0; i < kSleeps; ++i) {
    co_await until_asleep(peer.pid());
    Status stopped = peer.process().send_signal(SIGSTOP);  // it cannot wake in between
    EXPECT_OK(stopped);
    co_await until_stopped(peer.pid());
    const std::uint64_t rung_before = port.counters().doorbells_rung;

    for (int j = 0; j < kMessages; ++j) {
      Status sent = co_await port.send(ipc::Message("news"));
      EXPECT_OK(sent);
      co_await next_turn();
    }

    EXPECT_EQ(port.counters().doorbells_rung - rung_before, 1u);
    Status continued = peer.process().send_signal(SIGCONT);
    EXPECT_OK(continued);
    ipc::PortCounters theirs = co_await ask_counters(port);
    EXPECT_EQ(theirs.messages_received, 1u * (i + 1) * (kMessages + 1));
  }
}

TEST_F(LaneRowTest, S5_OneRingPerSleepHoweverMuchIsSent) {
  PeerSetup setup = peer_setup("count");
  setup.spin_ns = 0;

  run(setup, ring_a_sleeper);
}

// With no spinning at all, every message has to wake somebody: a wake that is lost would hang this test.
coro::Task<void> ring_back_and_forth(ipc::Port& port, PeerProcess& /*peer*/) {
  constexpr std::uint64_t kCalls = kSanitized ? 1000 : 5000;
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    std::string answer = co_await ask(port, ipc::Message("a"));
    EXPECT_FALSE(answer.empty());
  }
  ipc::PortCounters theirs = co_await ask_counters(port);
  EXPECT_LE(port.counters().doorbells_rung, kCalls + 1);
  EXPECT_LE(theirs.doorbells_rung, kCalls + 1);
  EXPECT_LE(port.counters().wakes, theirs.doorbells_rung + 1);
}

TEST_F(LaneRowTest, S5_NoWakeIsLostWhenBothSleepAllTheTime) {
  PeerSetup setup = peer_setup("count");
  setup.spin_ns = 0;
  set_reactor({.spin_ns = 0});

  run(setup, ring_back_and_forth);
}

coro::Task<void> ring_again(ipc::Port& port, PeerProcess& peer) {
  namespace sys = runtime::sys;
  for (const int error : {EAGAIN, ENOMEM, EIO}) {
    co_await until_asleep(peer.pid());
    const std::uint64_t rung_before = port.counters().doorbells_rung;
    {
      const sys::FailureInjection failure(1, error, sys::Call::kWrite);
      Status sent = co_await port.send(ipc::Message("news"));
      EXPECT_OK(sent);
      while (!failure.fired()) co_await next_turn();
    }
    while (port.counters().doorbells_rung - rung_before < 2) co_await next_turn();

    ipc::PortCounters theirs = co_await ask_counters(port);
    EXPECT_EQ(theirs.messages_received % 2, 0u) << "the news, and the question";
  }
}

TEST_F(LaneRowTest, S5_ARingThatFailedStaysOwedAndIsRepeated) {
  PeerSetup setup = peer_setup("count");
  setup.spin_ns = 0;

  run(setup, ring_again);
}

// Nobody waits for anything: news does not ring.
coro::Task<void> leave_alone(ipc::Port& port, PeerProcess& peer) {
  co_await until_asleep(peer.pid());
  for (int i = 0; i < 50; ++i) {
    Status sent = co_await port.send(ipc::Message("unread"));
    EXPECT_OK(sent);
    co_await next_turn();
  }
  EXPECT_EQ(port.counters().doorbells_rung, 0u);
  peer.cue();
}

TEST_F(LaneRowTest, S5_APeerThatWaitsForNothingIsNotRung) { run(peer_setup("idle"), leave_alone); }

}  // namespace
}  // namespace wharf::test
