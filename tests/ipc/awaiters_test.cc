#include "wharf/ipc/awaiters.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/dump.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/ipc/port.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::ipc {
namespace {

using coro::Task;

constexpr unsigned kReceiveLine = __LINE__ + 1;
Task<void> receive(Port& port) { static_cast<void>(co_await port.receive()); }

Task<std::string> dump_of_a_receive() {
  auto ends = Port::end_pair();
  auto opened = co_await coro::when_all(Port::open(std::move(ends->first)), Port::open(std::move(ends->second)));
  Port& port = **std::get<0>(opened);
  coro::Scope scope;
  scope.spawn(receive(port));
  co_await test::next_turn();
  std::string dump = coro::dump_tasks(runtime::Reactor::current());
  scope.cancel();
  co_await scope.join();
  co_return dump;
}

TEST(AwaitersTest, ATaskThatReceivesSaysSoInADump) {
  test::Harness harness;

  const std::string dump = harness.run(dump_of_a_receive());

#if WHARF_TASK_TRACE
  EXPECT_NE(dump.find(": Port::receive\n"), std::string::npos) << dump;
  EXPECT_NE(dump.find("tests/ipc/awaiters_test.cc:" + std::to_string(kReceiveLine) + "\n"), std::string::npos) << dump;
#endif
}

using Opened = StatusOr<std::unique_ptr<Port>>;

Task<std::pair<Opened, Opened>> open_pair() {
  auto ends = Port::end_pair();
  auto [first, second] =
      co_await coro::when_all(Port::open(std::move(ends->first)), Port::open(std::move(ends->second)));
  co_return std::pair(std::move(first), std::move(second));
}

Task<void> await_after_the_reply() {
  auto [caller, server] = co_await open_pair();
  auto call = (*caller)->call(Message("question"));  // on its way from here
  auto request = co_await (*server)->receive();
  const Status replied = co_await request->reply(Message("answer"));
  EXPECT_TRUE(replied.ok()) << replied;
  Status sent = co_await (*server)->send(Message("later"));  // comes behind the reply
  auto later = co_await (*caller)->receive();
  EXPECT_TRUE(sent.ok() && later.has_value());

  const StatusOr<Message> reply = co_await call;

  EXPECT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply.ok() ? reply->to_string() : "", "answer");
}

TEST(LateCallTest, ACallThatIsAwaitedAfterItsReplyCameHasIt) {
  test::Harness harness;
  harness.run(await_after_the_reply());
}

Task<void> await_after_the_end() {
  auto [caller, server] = co_await open_pair();
  auto call = (*caller)->call(Message("question"));
  (*server)->close();
  const bool closed = co_await (*caller)->closed();
  EXPECT_TRUE(closed);

  const StatusOr<Message> reply = co_await call;

  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable) << reply.status();
}

TEST(LateCallTest, ACallThatIsAwaitedAfterTheLinkEndedFails) {
  test::Harness harness;
  harness.run(await_after_the_end());
}

}  // namespace
}  // namespace wharf::ipc
