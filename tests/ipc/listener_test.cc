#include "wharf/ipc/listener.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/ipc/connector.h"
#include "wharf/ipc/detail/socket_name.h"
#include "wharf/runtime/io.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/supervisor_watch.h"

namespace wharf::test {
namespace {

using PortOr = StatusOr<std::unique_ptr<ipc::Port>>;

bool has(const Status& status, const std::string& part) {
  return std::string(status.message()).find(part) != std::string::npos;
}

// Names of each kind, that nobody else has.
std::string abstract_name() { return "@wharf_test_" + std::to_string(::getpid()); }
std::vector<std::string> names_in(const TemporaryFolder& folder) { return {folder.path() + "/port", abstract_name()}; }

coro::Task<void> tell(ipc::Port& port, std::string text) {
  Status sent = co_await port.send(ipc::Message(text));
  EXPECT_OK(sent);
}

coro::Task<void> echo(ipc::Visitor visitor, ipc::PortOptions options) {
  auto port = co_await visitor.open(options);
  CO_ASSERT_OK(port.status());
  while (auto request = co_await (*port)->receive()) {
    const std::string payload = request->to_string();
    Status sent = co_await request->reply(ipc::Message(payload));
    EXPECT_OK(sent);
  }
}

coro::Task<void> accept_visitors(std::string name, PeerSetup setup) {
  auto listener = ipc::PortListener::listen(name);
  CO_ASSERT_OK(listener.status());
  PeerProcess one(setup);
  PeerProcess two(setup);
  auto to_one = co_await one.open({});
  auto to_two = co_await two.open({});
  co_await tell(*to_one, name);
  co_await tell(*to_two, name);

  coro::Scope scope;
  std::vector<pid_t> pids;
  for (int i = 0; i < 2; ++i) {
    auto visitor = co_await (*listener)->accept();
    CO_ASSERT_OK(visitor.status());
    EXPECT_EQ(visitor->credentials().uid, ::getuid());
    EXPECT_EQ(visitor->credentials().gid, ::getgid());
    pids.push_back(visitor->credentials().pid);
    scope.spawn(echo(*std::move(visitor), setup.port));
  }
  co_await scope.join();

  EXPECT_EQ(pids[0] + pids[1], one.pid() + two.pid());
  EXPECT_EQ((*listener)->counters().accepted, 2u);
  to_one.reset();
  to_two.reset();
  co_await one.join();
  co_await two.join();
}

TEST_P(PortRowTest, NamedPortsLinkUpProcessesThatKnowTheNameAlone) {
  const TemporaryFolder folder;
  PeerSetup visit = setup("visit");
  visit.argument = 20;

  for (const std::string& name : names_in(folder)) run(accept_visitors(name, visit));
}

class PortListenerTest : public PortTest {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/port";
};

coro::Task<void> hold_nobody_up(std::string name, std::size_t unopened_count_max) {
  auto listener = ipc::PortListener::listen(name, ipc::same_user_or_root, {.unopened_count_max = unopened_count_max});
  CO_ASSERT_OK(listener.status());
  PeerProcess silent(peer_setup("visit_silently"));
  auto to_silent = co_await silent.open({});
  co_await tell(*to_silent, name);
  co_await silent.until_cued();
  auto stranger = co_await (*listener)->accept();
  CO_ASSERT_OK(stranger.status());
  pollfd process{stranger->credentials().pidfd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&process, 1, 0), 0) << "the process lives, or the kernel gives no pidfd";

  coro::Scope opening;
  opening.spawn(
      [](ipc::Visitor visitor) -> coro::Task<void> {
        auto port = co_await visitor.open({.handshake_timeout_ms = 3'600'000});
        EXPECT_EQ(port.status().code(), StatusCode::kCancelled);
      },
      *std::move(stranger));
  coro::Scope serving;
  bool accepted = false;
  serving.spawn(
      [](ipc::PortListener& at, bool& done) -> coro::Task<void> {
        auto visitor = co_await at.accept();
        CO_ASSERT_OK(visitor.status());
        done = true;
        co_await echo(*std::move(visitor), {});
      },
      std::ref(**listener), std::ref(accepted));
  co_await next_turn();
  serving.spawn(
      [](std::string to) -> coro::Task<void> {
        auto port = co_await ipc::connect_port(to);
        CO_ASSERT_OK(port.status());
        std::string answer = co_await ask(**port, ipc::Message("ahoy"));
        EXPECT_EQ(answer, "ahoy");
      },
      name);
  if (unopened_count_max == 1) {
    for (int i = 0; i < 10; ++i) co_await next_turn();
    EXPECT_FALSE(accepted) << "the silent one has the only place";
    opening.cancel();
  }
  co_await serving.join();
  EXPECT_TRUE(accepted);
  opening.cancel();
  co_await opening.join();
  to_silent.reset();
  co_await silent.join();
}

TEST_F(PortListenerTest, AStrangerWhoSaysNothingHoldsNobodyUp) { run(hold_nobody_up(path_, 2)); }
TEST_F(PortListenerTest, NoMoreStrangersAreLetInUnopenedThanMay) { run(hold_nobody_up(path_, 1)); }

coro::Task<void> refuse_once(std::string name) {
  bool refuse = true;
  auto policy = [&refuse](const ipc::PeerCredentials& peer) -> Status {
    EXPECT_EQ(peer.pid, ::getpid());
    if (refuse) return absl::PermissionDeniedError("not today");
    return absl::OkStatus();
  };
  auto listener = ipc::PortListener::listen(name, policy);
  CO_ASSERT_OK(listener.status());
  coro::Scope scope;
  scope.spawn(
      [](ipc::PortListener& at) -> coro::Task<void> {
        auto visitor = co_await at.accept();
        CO_ASSERT_OK(visitor.status());
        co_await echo(*std::move(visitor), {});
      },
      std::ref(**listener));

  auto refused = co_await ipc::connect_port(name);
  refuse = false;
  EXPECT_EQ(refused.status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(has(refused.status(), name) && has(refused.status(), "refused")) << refused.status();
  EXPECT_FALSE(has(refused.status(), "not today")) << "that is for this side alone";
  EXPECT_EQ((*listener)->counters().refused, 1u);
  EXPECT_TRUE(has((*listener)->last_refusal(), "not today"));

  auto port = co_await ipc::connect_port(name);
  CO_ASSERT_OK(port.status());
  EXPECT_EQ((*listener)->counters().accepted, 1u);
  port->reset();
  co_await scope.join();
}

TEST_F(PortListenerTest, WhoeverThePolicyRefusesIsClosedCountedAndToldNothing) {
  for (const std::string& name : names_in(folder_)) run(refuse_once(name));
}

TEST_F(PortListenerTest, ThePolicyByDefaultTakesThisUserAndRoot) {
  ipc::PeerCredentials peer;
  peer.uid = ::geteuid();
  EXPECT_OK(ipc::same_user_or_root(peer));
  peer.uid = 0;
  EXPECT_OK(ipc::same_user_or_root(peer));
  peer.uid = ::geteuid() + 1;
  EXPECT_EQ(ipc::same_user_or_root(peer).code(), StatusCode::kPermissionDenied);
}

coro::Task<void> close_while_they_wait(std::string name, bool destroy) {
  auto listener = ipc::PortListener::listen(name);
  CO_ASSERT_OK(listener.status());
  coro::Scope scope;
  for (int i = 0; i < 3; ++i) {
    scope.spawn(
        [](ipc::PortListener& at) -> coro::Task<void> {
          auto visitor = co_await at.accept();
          EXPECT_EQ(visitor.status().code(), StatusCode::kCancelled) << visitor.status();
        },
        std::ref(**listener));
  }
  co_await next_turn();

  if (destroy) listener->reset();
  if (!destroy) (*listener)->close();
  co_await scope.join();

  EXPECT_NE(::access(name.c_str(), F_OK), 0);
  auto port = co_await ipc::connect_port(name);
  EXPECT_EQ(port.status().code(), StatusCode::kNotFound) << port.status();
}

TEST_F(PortListenerTest, WhoeverWaitsInAcceptGoesOnWhenItIsClosed) {
  for (const std::string& name : names_in(folder_)) {
    run(close_while_they_wait(name, false));
    run(close_while_they_wait(name, true));
  }
}

// Somebody has connected, and was not accepted; a visitor keeps the socket open.
coro::Task<void> close_with_a_backlog(std::string name) {
  auto listener = ipc::PortListener::listen(name);
  CO_ASSERT_OK(listener.status());
  auto parsed = ipc::detail::SocketName::parse(name);
  CO_ASSERT_OK(parsed.status());
  const auto connected = [&parsed]() -> runtime::UniqueFd {
    runtime::UniqueFd client(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), parsed->address(), parsed->address_bytes()), 0);
    return client;
  };
  const runtime::UniqueFd first = connected();
  auto visitor = co_await (*listener)->accept();
  CO_ASSERT_OK(visitor.status());
  const runtime::UniqueFd second = connected();
  const runtime::UniqueFd third = connected();

  (*listener)->close();

  for (const runtime::UniqueFd* waiting : {&second, &third}) {
    auto ended = co_await runtime::poll(waiting->get(), POLLRDHUP);
    EXPECT_OK(ended.status());
  }
  pollfd admitted{first.get(), POLLRDHUP, 0};
  EXPECT_EQ(::poll(&admitted, 1, 0), 0) << "who was let in may open the port still";
}

TEST_F(PortListenerTest, WhoeverIsInTheBacklogLearnsThatItIsClosed) {
  for (const std::string& name : names_in(folder_)) run(close_with_a_backlog(name));
}

coro::Task<void> stop_accepting(std::string name) {
  auto listener = ipc::PortListener::listen(name);
  CO_ASSERT_OK(listener.status());
  coro::Scope scope;
  scope.spawn(
      [](ipc::PortListener& at) -> coro::Task<void> {
        auto visitor = co_await at.accept();
        EXPECT_EQ(visitor.status().code(), StatusCode::kCancelled);
      },
      std::ref(**listener));
  co_await next_turn();
  scope.cancel();
  co_await scope.join();
}

TEST_F(PortListenerTest, AcceptCanBeStopped) { run(stop_accepting(path_)); }

}  // namespace
}  // namespace wharf::test
