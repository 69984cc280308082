// S7, S18 and S19: operations through a port's handle that end early: by a stop, a deadline, or with the port.
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/ipc/port_handle.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/elsewhere.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

class PortHandleEndTest : public PortRowTest {};

constexpr std::size_t kWaits = 20;

// What the tasks of the other thread have seen.
struct Seen {
  std::atomic<std::size_t> begun{0};
  std::vector<Status> sends;
  std::vector<Status> calls;
};

coro::Task<void> send_until_it_fails(ipc::PortHandle handle, Seen& seen) {
  Status sent;
  const std::string payload(1000, 'x');
  ++seen.begun;
  while (sent.ok()) sent = co_await handle.send(ipc::Message(payload));
  seen.sends.push_back(sent);
}

coro::Task<void> call_once(ipc::PortHandle handle, Seen& seen, std::int64_t deadline_ns) {
  ++seen.begun;
  auto reply = co_await handle.call(ipc::Message("?"), {.deadline_ns = deadline_ns});
  seen.calls.push_back(reply.status());
}

coro::Task<void> wait_there(ipc::PortHandle handle, Seen& seen) {
  coro::Scope scope;
  for (std::size_t i = 0; i < kWaits; ++i) {
    scope.spawn(call_once(handle, seen, 0));
    scope.spawn(send_until_it_fails(handle, seen));
  }
  co_await scope.join();
}

coro::Task<void> die_under_the_handle(ipc::Port& port, PeerProcess& peer) {
  Seen seen;
  const ipc::PortHandle handle = port.handle();
  Elsewhere elsewhere(wait_there(handle, seen));
  while (seen.begun < 2 * kWaits || port.counters().waits == 0) co_await next_turn();

  co_await peer.kill();
  co_await elsewhere.join();

  EXPECT_FALSE(port.status().ok());
  CO_ASSERT_EQ(seen.sends.size(), kWaits);
  CO_ASSERT_EQ(seen.calls.size(), kWaits);
  for (const Status& status : seen.sends) EXPECT_EQ(status, port.status());
  for (const Status& status : seen.calls) EXPECT_EQ(status, port.status());
  EXPECT_EQ(handle.status(), port.status());
  EXPECT_EQ(handle.try_send(ipc::Message("late")), port.status());
}

TEST_P(PortHandleEndTest, S18_S19_EverybodyWhoWaitsThroughAHandleLearnsTheSame) {
  run(setup("late"), die_under_the_handle);
}

// The peer takes the requests and does not answer; the tasks there give up, each in its own way.
coro::Task<void> lose_patience_there(ipc::PortHandle handle, Seen& seen) {
  coro::Scope scope;
  for (std::size_t i = 0; i < kWaits; ++i) scope.spawn(call_once(handle, seen, in_ms(20)));
  co_await scope.join();
  for (const Status& status : seen.calls) EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded) << status;

  coro::Scope stopped;
  for (std::size_t i = 0; i < kWaits; ++i) stopped.spawn(call_once(handle, seen, 0));
  co_await next_turn();
  stopped.cancel();
  co_await stopped.join();
  for (std::size_t i = kWaits; i < seen.calls.size(); ++i) {
    EXPECT_EQ(seen.calls[i].code(), StatusCode::kCancelled) << seen.calls[i];
  }
}

coro::Task<void> give_up_there(ipc::Port& port, PeerProcess& peer) {
  Seen seen;
  {
    Elsewhere elsewhere(lose_patience_there(port.handle(), seen));
    co_await elsewhere.join();
  }
  EXPECT_EQ(seen.calls.size(), 2 * kWaits);
  peer.cue();
  std::string count = co_await ask(port, ipc::Message("still there?"));  // what was given up on is no obstacle
  EXPECT_FALSE(count.empty());
}

TEST_P(PortHandleEndTest, S19_AStopAndADeadlineEndTheWaitOnTheTasksOwnReactor) { run(setup("late"), give_up_there); }

// The recall reaches the port: its sends that wait for room are withdrawn, though nobody waits for them any more.
coro::Task<void> withdraw_there(ipc::PortHandle handle, Seen& seen) {
  coro::Scope scope;
  for (std::size_t i = 0; i < kWaits; ++i) scope.spawn(send_until_it_fails(handle, seen));
  while (seen.begun < kWaits + 1) co_await next_turn();  // the port says that they wait
  scope.cancel();
  co_await scope.join();
}

coro::Task<void> withdraw(ipc::Port& port, PeerProcess& peer) {
  Seen seen;
  Elsewhere elsewhere(withdraw_there(port.handle(), seen));
  while (port.counters().waits < kWaits) co_await next_turn();
  const std::uint64_t went = port.counters().messages_sent;
  ++seen.begun;
  co_await elsewhere.join();
  co_await next_turn();  // the recalls were posted before the end

  peer.cue();
  std::string count = co_await ask(port, ipc::Message("how many?"));

  EXPECT_EQ(port.counters().messages_sent, went + 1) << "those, and the question";
  for (const Status& status : seen.sends) EXPECT_EQ(status.code(), StatusCode::kCancelled) << status;
}

TEST_P(PortHandleEndTest, S7_ASendThatIsGivenUpWhileItWaitsIsNotSent) { run(setup("withhold"), withdraw); }

coro::Task<void> leave_a_handle_behind(PeerSetup setup, std::optional<ipc::PortHandle>& handle) {
  Tracer tracer;
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  handle = port->handle();
  EXPECT_OK(handle->try_send(std::move(ipc::Message("is not sent").attach(tracer.take()))));
  port.reset();
  peer.cue();
  co_await tracer.until_closed_everywhere();
  co_await peer.join();
}

TEST_P(PortHandleEndTest, S18_AHandleOutlivesThePortAndItsReactor) {
  std::optional<ipc::PortHandle> handle;
  run(leave_a_handle_behind(setup("idle"), handle));

  EXPECT_EQ(handle->try_send(ipc::Message("late")).code(), StatusCode::kUnavailable);
  EXPECT_EQ(handle->status().message(), "this side has closed the port");
}

INSTANTIATE_TEST_SUITE_P(, PortHandleEndTest, ::testing::Values(Route::kSharedMemory, Route::kSocket), route_name);

}  // namespace
}  // namespace wharf::test
