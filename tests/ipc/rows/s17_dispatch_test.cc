// S17: messages go to the handler of their type; what no handler takes is refused, and harms nobody.
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peers/dispatching.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

coro::Task<DispatchReport> report_of(ipc::Port& port) {
  std::string report = co_await ask(port, ipc::Message(kReport));
  co_return value_of<DispatchReport>(report);
}

coro::Task<void> expect_error(ipc::Port& port, std::uint32_t type, std::string payload, StatusCode code,
                              std::string text) {
  auto reply = co_await port.call(ipc::Message(type, payload));
  EXPECT_EQ(reply.status().code(), code) << reply.status();
  EXPECT_EQ(std::string(reply.status().message()), text);
}

coro::Task<void> ask_by_type(ipc::Port& port, PeerProcess& /*peer*/) {
  const Factors factors{-6, 7};
  std::string product = co_await ask(port, ipc::Message(kMultiply, bytes_of(factors)));
  EXPECT_EQ(value_of<std::int64_t>(product), -42);

  std::string greeting = co_await ask(port, ipc::Message(kGreet, std::string_view("\4quay")));
  EXPECT_EQ(greeting, "ahoy, quay");
  const std::string name = static_cast<char>(255) + std::string(255, 'n');
  greeting = co_await ask(port, ipc::Message(kGreet, name));
  EXPECT_EQ(greeting, "ahoy, " + name.substr(1));

  DispatchReport report = co_await report_of(port);
  EXPECT_EQ(report.handled, 4u);
}

TEST_P(PortRowTest, S17_EachMessageGoesToTheHandlerOfItsType) { run(setup("dispatch"), ask_by_type); }

coro::Task<void> ask_nobody(ipc::Port& port, PeerProcess& /*peer*/) {
  co_await expect_error(port, kNoHandler, "", StatusCode::kUnimplemented, "no handler for type 7");
  co_await expect_error(port, 0xffff'ffff, std::string(100'000, 'x'), StatusCode::kUnimplemented,
                        "no handler for type 4294967295");
  Tracer tracer;
  ipc::Message message(kNoHandler, "to nobody");
  message.attach(tracer.take());
  Status sent = co_await port.send(std::move(message));
  EXPECT_OK(sent);
  co_await tracer.until_closed_everywhere();

  DispatchReport report = co_await report_of(port);
  EXPECT_EQ(report.unknown, 3u);
  EXPECT_EQ(report.handled, 1u);
}

TEST_P(PortRowTest, S17_D23_AnUnknownTypeIsRefusedPolitelyAndServingGoesOn) { run(setup("dispatch"), ask_nobody); }

coro::Task<void> ask_badly(ipc::Port& port, PeerProcess& /*peer*/) {
  for (const std::size_t bytes : {0, 1, 7, 9, 5000}) {
    co_await expect_error(port, kMultiply, std::string(bytes, 'x'), StatusCode::kInvalidArgument,
                          "type 1: " + std::to_string(bytes) + " bytes of payload, and 8 are wanted");
  }
  co_await expect_error(port, kGreet, "", StatusCode::kInvalidArgument, "type 2: the name's length is wrong");
  co_await expect_error(port, kGreet, "\5quay", StatusCode::kInvalidArgument, "type 2: the name's length is wrong");
  Tracer tracer;
  ipc::Message message(kMultiply, "short");
  message.attach(tracer.take());
  Status sent = co_await port.send(std::move(message));
  EXPECT_OK(sent);
  co_await tracer.until_closed_everywhere();

  DispatchReport report = co_await report_of(port);
  EXPECT_EQ(report.malformed, 8u);
  EXPECT_EQ(report.handled, 1u);
}

TEST_P(PortRowTest, S17_APayloadOfTheWrongSizeIsRefusedWithTypeAndSizes) { run(setup("dispatch"), ask_badly); }

coro::Task<void> make_it_throw(ipc::Port& port, PeerProcess& /*peer*/) {
  auto reply = co_await port.call(ipc::Message(kThrow, "thrown"));
  EXPECT_EQ(reply.status().code(), StatusCode::kAborted) << reply.status();

  DispatchReport report = co_await report_of(port);

  EXPECT_EQ(report.thrown, 1u) << "serve() threw it, and was called again";
}

TEST_P(PortRowTest, S17_AnExceptionOfAHandlerAnswersTheRequestAndLeavesServe) { run(setup("dispatch"), make_it_throw); }

coro::Task<void> call_blocking(ipc::Port& port, std::uint64_t& count) {
  std::string reply = co_await ask(port, ipc::Message(kBlock));
  EXPECT_EQ(reply, "unblocked");
  ++count;
}

coro::Task<void> call_many(ipc::Port& port, PeerProcess& peer) {
  constexpr std::uint64_t kCalls = 5 * kDispatchRunningMax;
  coro::Scope scope;
  std::uint64_t count = 0;
  for (std::uint64_t i = 0; i < kCalls; ++i) scope.spawn(call_blocking(port, count));
  co_await peer.until_cued();  // as many as may run
  EXPECT_EQ(count, 0u);

  peer.cue();
  co_await scope.join();

  EXPECT_EQ(count, kCalls);
  DispatchReport report = co_await report_of(port);
  EXPECT_EQ(report.running_max, kDispatchRunningMax);
}

TEST_P(PortRowTest, S17_NoMoreHandlersRunAtOnceThanMay) { run(setup("dispatch"), call_many); }

// The peer ends well only if its handlers were stopped, or have finished.
coro::Task<void> leave(ipc::Port& port, PeerProcess& peer) {
  coro::Scope scope;
  for (std::uint64_t i = 0; i < kDispatchRunningMax; ++i) {
    scope.spawn(
        [](ipc::Port& to) -> coro::Task<void> {
          auto reply = co_await to.call(ipc::Message(kBlock));
          EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
        },
        std::ref(port));
  }
  co_await peer.until_cued();
  Status sent = co_await port.send(ipc::Message(kNote, "12345"));
  EXPECT_OK(sent);

  port.close();
  co_await scope.join();
}

TEST_P(PortRowTest, S17_WhenTheLinkEndsRequestsAreStoppedAndMessagesAreHandledToTheEnd) {
  PeerSetup dispatch = setup("dispatch");
  dispatch.argument = 5;

  run(dispatch, leave);
}

}  // namespace
}  // namespace wharf::test
