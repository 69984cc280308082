// A peer killed, or stopped, at each of its steps: stores to shared memory and system calls, from the handshake to the end.
#include <csignal>
#include <string>
#include <tuple>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/kill/survivor.h"

namespace wharf::test {
namespace {

using Scenario = std::tuple<Route, Role>;

class KillPoints : public PortTest, public ::testing::WithParamInterface<Scenario> {
 protected:
  void run_rounds(FaultAction action) {
    const auto [route, role] = GetParam();
    run(survive_every_step(role, route == Route::kSharedMemory, {.action = action}, restart_watchdog));
  }
};

TEST_P(KillPoints, APeerKilledAtAnyStepLeavesItsSurvivorWhole) { run_rounds(FaultAction::kKill); }

TEST_P(KillPoints, APeerStoppedAtAnyStepLosesNothingWhenItGoesOn) { run_rounds(FaultAction::kStop); }

std::string name_of(const ::testing::TestParamInfo<Scenario>& info) {
  const auto [route, role] = info.param;
  return std::string(route == Route::kSharedMemory ? "SharedMemory" : "Socket") +
         (role == Role::kPeerSends ? "Sender" : "Server");
}

INSTANTIATE_TEST_SUITE_P(, KillPoints,
                         ::testing::Combine(::testing::Values(Route::kSharedMemory, Route::kSocket),
                                            ::testing::Values(Role::kPeerSends, Role::kPeerServes)),
                         name_of);

// The peer holds blocks and a descriptor, and will not run again by itself: a deadline ends the call, and close() the link.
coro::Task<void> close_a_stopped_peers_link(ipc::Port& port, PeerProcess& peer) {
  const std::string payload = pattern(50'000);
  Status sent = co_await port.send(ipc::Message(1, payload));
  EXPECT_OK(sent);
  std::string back = co_await ask(port, ipc::Message("there?"));
  EXPECT_EQ(back, "held");
  Status signalled = peer.process().send_signal(SIGSTOP);
  EXPECT_OK(signalled);
  co_await until_stopped(peer.pid());
  Tracer tracer;
  sent = co_await port.send(std::move(ipc::Message(2, payload).attach(tracer.take())));
  EXPECT_OK(sent);

  auto reply = co_await port.call(ipc::Message("still there?"), {.deadline_ns = in_ms(20)});
  EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded);
  port.close();

  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
  co_await peer.kill();
  co_await tracer.until_closed_everywhere();
}

TEST_P(PortRowTest, TheLinkToAPeerThatStaysStoppedIsClosedAndAllComesHome) {
  run(setup("hold_all"), close_a_stopped_peers_link);
}

}  // namespace
}  // namespace wharf::test
