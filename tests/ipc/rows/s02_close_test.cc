// S2: closing one direction, or both: what was sent arrives, and then the end does.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

coro::Task<void> close_sending(ipc::Port& port, PeerEnd& /*peer*/) {
  for (int i = 0; i < 10; ++i) {
    Status sent = co_await port.send(ipc::Message("before"));
    EXPECT_OK(sent);
  }

  Status closed = co_await port.close_send();

  EXPECT_OK(closed);
  Status refused = co_await port.send(ipc::Message("after"));
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  auto refused_call = co_await port.call(ipc::Message("after"));
  EXPECT_EQ(refused_call.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_OK(port.status());
  auto count = co_await port.receive();  // the other direction is open
  CO_ASSERT_TRUE(count.has_value());
  EXPECT_EQ(value_of<std::uint64_t>(count->to_string()), 10u);
  auto end = co_await port.receive();
  EXPECT_FALSE(end.has_value());
}

TEST_P(PlaceRowTest, S2_ThePeerReadsToTheEndOfAClosedDirectionAndAnswers) {
  run(setup("count_then_tell"), close_sending);
}

coro::Task<void> send_numbered(ipc::Port& port, std::vector<std::pair<int, StatusCode>>& outcomes, int number) {
  std::string payload(bytes_of(static_cast<std::uint64_t>(number)));
  payload.resize(1000, 'x');
  Status sent = co_await port.send(ipc::Message(payload));
  outcomes.emplace_back(number, sent.code());
}

coro::Task<void> close_behind_waiting(ipc::Port& port, PeerEnd& peer) {
  coro::Scope scope;
  std::vector<std::pair<int, StatusCode>> outcomes;
  int number = 0;
  while (port.counters().waits == 0) {
    scope.spawn(send_numbered(port, outcomes, number++));
    co_await next_turn();
  }
  outcomes.clear();
  scope.spawn(
      [](ipc::Port& to, std::vector<std::pair<int, StatusCode>>& into) -> coro::Task<void> {
        Status closed = co_await to.close_send();
        into.emplace_back(-1, closed.code());
      },
      std::ref(port), std::ref(outcomes));
  scope.spawn(send_numbered(port, outcomes, number));
  co_await next_turn();
  EXPECT_TRUE(outcomes.empty());

  peer.cue();
  co_await scope.join();

  const std::vector<std::pair<int, StatusCode>> expected = {
      {number - 1, StatusCode::kOk}, {-1, StatusCode::kOk}, {number, StatusCode::kFailedPrecondition}};
  EXPECT_TRUE(outcomes == expected);
  auto end = co_await port.receive();
  EXPECT_FALSE(end.has_value());
}

TEST_P(PlaceRowTest, S2_WhatWaitsBehindTheEndIsRefused) { run(setup("late"), close_behind_waiting); }

// The port is closed with messages under way in both directions.
coro::Task<void> close_at_once(ipc::Port& port, PeerEnd& peer) {
  Status asked = co_await port.send(ipc::Message("send something that nobody reads"));
  EXPECT_OK(asked);
  co_await peer.until_cued();
  for (std::uint64_t i = 0; i < 40; ++i) {
    const std::string payload(bytes_of(i));
    ipc::Message message(0, payload);
    if (i % 4 == 0) message.attach(numbered_file(i));
    Status sent = co_await port.send(std::move(message));
    EXPECT_OK(sent);
  }

  port.close();

  EXPECT_EQ(port.status().code(), StatusCode::kUnavailable);
  co_await next_turn();  // the kernel lets go of the socket, with mail unread
  peer.cue();
  co_await peer.join();  // it has seen all of it, in order
}

TEST_P(PlaceRowTest, S2_WhatWasSentBeforeTheCloseArrives) { run(setup("read_forty_after_the_close"), close_at_once); }

coro::Task<void> leave_unanswered(ipc::Port& port, PeerEnd& /*peer*/) {
  auto reply = co_await port.call(ipc::Message("answer me"));

  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable) << "the peer closed instead";
  bool closed = co_await port.closed();
  EXPECT_TRUE(closed);
  EXPECT_EQ(port.status(), absl::UnavailableError("the peer has closed the port"));
}

TEST_P(PlaceRowTest, S2_AnOrderlyCloseIsToldFromADeath) { run(setup("close_unanswered"), leave_unanswered); }

coro::Task<void> open_at(std::unique_ptr<ipc::Port>& port, ipc::PortEnd socket) {
  ipc::PortOptions options;
  options.shared_memory = false;
  auto opened = co_await ipc::Port::open(std::move(socket), options);
  CO_ASSERT_OK(opened.status());
  port = *std::move(opened);
}

coro::Task<void> call_and_fail(ipc::Port& port, std::size_t bytes) {
  const std::string payload = pattern(bytes);
  auto reply = co_await port.call(ipc::Message(payload));
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable) << reply.status();
  Status sent = co_await port.send(ipc::Message("after"));
  EXPECT_OK(sent);
}

// A link with both ends here.
coro::Task<void> open_both(std::unique_ptr<ipc::Port>& first, std::unique_ptr<ipc::Port>& second) {
  auto sockets = ipc::Port::end_pair();
  CO_ASSERT_OK(sockets.status());
  coro::Scope scope;
  scope.spawn(open_at(first, std::move(sockets->first)));
  scope.spawn(open_at(second, std::move(sockets->second)));
  co_await scope.join();
}

// Both ends are here, so that the goodbye comes while the call's fragments are on their way.
coro::Task<void> say_goodbye_amid_a_call() {
  constexpr std::size_t kBytes = 1 << 20;
  std::unique_ptr<ipc::Port> caller;
  std::unique_ptr<ipc::Port> leaver;
  co_await open_both(caller, leaver);
  CO_ASSERT_TRUE(caller != nullptr && leaver != nullptr);
  coro::Scope scope;
  scope.spawn(call_and_fail(*caller, kBytes));
  co_await next_turn();

  Status closed = co_await leaver->close_send();
  EXPECT_OK(closed);
  auto request = co_await leaver->receive();
  auto next = co_await leaver->receive();
  co_await scope.join();

  EXPECT_TRUE(request.has_value() && request->size_bytes() == kBytes);
  EXPECT_TRUE(next.has_value() && next->to_string() == "after");
  EXPECT_OK(caller->status());
  EXPECT_OK(leaver->status());
}

TEST_F(PortTest, S2_ACallThatHasBegunIsFinishedAfterThePeersGoodbye) { run(say_goodbye_amid_a_call()); }

coro::Task<void> call_until_stopped(ipc::Port& port) {
  auto reply = co_await port.call(ipc::Message("answer me"));
  EXPECT_EQ(reply.status().code(), StatusCode::kCancelled) << reply.status();
}

// All within one turn: a call is stopped, the link ends with a message still to be received, it is received, and the port
// goes. The stopped call had made the port look out for its message.
coro::Task<void> take_the_last_message_and_go() {
  std::unique_ptr<ipc::Port> port;
  std::unique_ptr<ipc::Port> leaver;
  co_await open_both(port, leaver);
  CO_ASSERT_TRUE(port != nullptr && leaver != nullptr);
  coro::Scope scope;
  scope.spawn(call_until_stopped(*port));
  co_await next_turn();
  Status sent = co_await leaver->send(ipc::Message("the last"));
  EXPECT_OK(sent);
  leaver->close();

  scope.cancel();
  Status refused = co_await port->send(ipc::Message("too late"));
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable) << refused;
  co_await scope.join();
  auto last = co_await port->receive();
  port.reset();

  EXPECT_TRUE(last.has_value() && last->to_string() == "the last");
}

TEST_F(PortTest, S2_APortMayGoInTheTurnInWhichItsLastMessageIsTaken) { run(take_the_last_message_and_go()); }

}  // namespace
}  // namespace wharf::test
