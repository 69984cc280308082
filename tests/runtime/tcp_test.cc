#include "wharf/runtime/tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <climits>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/transfer.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::connect_to;
using test::Harness;
using test::next_turn;

using Listener = std::unique_ptr<TcpListener>;

Listener listen_on_loopback(TcpListenOptions options = {}) {
  StatusOr<Listener> listener = TcpListener::listen("127.0.0.1", 0, options);
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

Task<StatusOr<UniqueFd>> accept_one(TcpListener& listener) {
  StatusOr<UniqueFd> connection = co_await listener.accept();
  co_return connection;
}

TEST(TcpListenerTest, AcceptsAConnectionWithTheOptionsSet) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  const UniqueFd client = connect_to(listener->port());

  StatusOr<UniqueFd> connection = harness.run(accept_one(*listener));

  ASSERT_TRUE(connection.ok()) << connection.status();
  int no_delay = 0;
  socklen_t bytes = sizeof(no_delay);
  EXPECT_EQ(::getsockopt(connection->get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &bytes), 0);
  EXPECT_EQ(no_delay, 1);
  EXPECT_EQ(::fcntl(connection->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(connection->get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(TcpListenerTest, NoDelayIsAnOption) {
  Harness harness;
  const Listener listener = listen_on_loopback({.no_delay = false});
  const UniqueFd client = connect_to(listener->port());

  StatusOr<UniqueFd> connection = harness.run(accept_one(*listener));

  int no_delay = 1;
  socklen_t bytes = sizeof(no_delay);
  EXPECT_EQ(::getsockopt(connection->get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &bytes), 0);
  EXPECT_EQ(no_delay, 0);
}

std::vector<UniqueFd> connect_often(const TcpListener& listener, int count) {
  std::vector<UniqueFd> clients(static_cast<std::size_t>(count));
  for (UniqueFd& client : clients) client = connect_to(listener.port());
  return clients;
}

Task<void> accept_many(TcpListener& listener, int count) {
  for (int i = 0; i < count; ++i) {
    StatusOr<UniqueFd> connection = co_await listener.accept();
    EXPECT_TRUE(connection.ok()) << connection.status();
  }
}

TEST(TcpListenerTest, MoreConnectionsThanItsQueueHoldsAreAllAccepted) {
  Harness harness;
  const Listener listener = listen_on_loopback({.accepted_max = 4});
  const std::vector<UniqueFd> clients = connect_often(*listener, 50);

  harness.run(accept_many(*listener, 50));
}

Task<void> connect_in_bursts(TcpListener& listener) {
  Scope scope;
  scope.spawn(accept_many(listener, 20));
  const std::vector<UniqueFd> burst = connect_often(listener, 10);
  for (int i = 0; i < 10; ++i) co_await next_turn();
  const std::vector<UniqueFd> after = connect_often(listener, 10);
  co_await scope.join();
}

// A full queue ends the accept in the kernel. The task has emptied it, and waits again, before that end is reported.
TEST(TcpListenerTest, ConnectionsAfterABurstThatFilledItsQueueAreAccepted) {
  Harness harness;
  const Listener listener = listen_on_loopback({.accepted_max = 4});

  harness.run(connect_in_bursts(*listener));
}

TEST(TcpListenerTest, ACompletionRingThatOverflowsLosesNoConnection) {
  Harness harness({.ring_entries = 1, .operations_max = 1});
  const Listener listener = listen_on_loopback();
  const std::vector<UniqueFd> clients = connect_often(*listener, 50);

  harness.run(accept_many(*listener, 50));
}

Task<void> accept_and_echo(TcpListener& listener, Scope& scope, int count) {
  auto echo = [](UniqueFd connection) -> Task<void> {
    std::byte buffer[64];
    for (;;) {
      StatusOr<std::size_t> bytes = co_await recv(connection.get(), buffer);
      if (!bytes.ok() || *bytes == 0) co_return;
      Status sent = co_await send_all(connection.get(), std::span(buffer, *bytes));
      if (!sent.ok()) co_return;
    }
  };
  for (int i = 0; i < count; ++i) {
    StatusOr<UniqueFd> connection = co_await listener.accept();
    if (!connection.ok()) co_return;
    scope.spawn(echo, *std::move(connection));
  }
}

Task<void> ask_and_check(std::uint16_t port, int number) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Status connected = co_await runtime::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  EXPECT_TRUE(connected.ok()) << connected;
  for (int i = 0; i < 20; ++i) {
    const std::string text = std::to_string(number) + ":" + std::to_string(i);
    Status sent = co_await send_all(socket.get(), test::bytes_of(text));
    EXPECT_TRUE(sent.ok()) << sent;
    std::byte buffer[64];
    StatusOr<std::size_t> bytes = co_await recv(socket.get(), buffer);
    EXPECT_EQ(test::text_of(std::span(buffer, *bytes)), text);
  }
}

Task<void> serve_and_ask(TcpListener& listener, int client_count) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(accept_and_echo(listener, scope, client_count));
    for (int i = 0; i < client_count; ++i) scope.spawn(ask_and_check(listener.port(), i));
    co_return;
  });
}

TEST(TcpListenerTest, ServesManyClientsSideBySide) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  harness.run(serve_and_ask(*listener, 40));
}

Task<void> note_accept(TcpListener& listener, int number, std::vector<int>& log, std::vector<Status>& statuses) {
  StatusOr<UniqueFd> connection = co_await listener.accept();
  log.push_back(number);
  statuses.push_back(connection.status());
}

Task<void> wait_in_line(TcpListener& listener, std::vector<int>& log, std::vector<Status>& statuses) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    for (int i = 0; i < 3; ++i) scope.spawn(note_accept(listener, i, log, statuses));
    co_await test::next_turn();
    const UniqueFd first = connect_to(listener.port());
    const UniqueFd second = connect_to(listener.port());
    const UniqueFd third = connect_to(listener.port());
    co_await scope.join();
  });
}

TEST(TcpListenerTest, TheFirstThatWaitsIsTheFirstServed) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  std::vector<int> log;
  std::vector<Status> statuses;
  harness.run(wait_in_line(*listener, log, statuses));

  EXPECT_EQ(log, (std::vector<int>{0, 1, 2}));
  for (const Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
}

Task<void> cancel_one(TcpListener& listener, std::vector<int>& log, std::vector<Status>& statuses) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_accept(listener, 1, log, statuses));
    co_await test::next_turn();
    scope.cancel();
  });
}

TEST(TcpListenerTest, AStopEndsAWaitAndTakesNoConnection) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  std::vector<int> log;
  std::vector<Status> statuses;
  harness.run(cancel_one(*listener, log, statuses));
  EXPECT_EQ(statuses.at(0).message(), "accept: the task was stopped");

  const UniqueFd client = connect_to(listener->port());
  EXPECT_TRUE(harness.run(accept_one(*listener)).ok());
}

Task<void> close_while_waiting(TcpListener& listener, std::vector<int>& log, std::vector<Status>& statuses) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_accept(listener, 1, log, statuses));
    scope.spawn(note_accept(listener, 2, log, statuses));
    co_await test::next_turn();
    listener.close();
    co_await scope.join();
    scope.spawn(note_accept(listener, 3, log, statuses));
    co_await scope.join();
  });
}

TEST(TcpListenerTest, ClosingItEndsEveryWait) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  std::vector<int> log;
  std::vector<Status> statuses;
  harness.run(close_while_waiting(*listener, log, statuses));

  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
  for (const Status& status : statuses) {
    EXPECT_EQ(status.code(), StatusCode::kCancelled);
    EXPECT_EQ(status.message(), "accept: the listener was closed");
  }
}

TEST(TcpListenerTest, ConnectionsThatNobodyTookAreClosedWithIt) {
  Harness harness;
  const std::size_t before = test::open_fd_count();
  {
    Listener listener = listen_on_loopback();
    const std::vector<UniqueFd> clients = connect_often(*listener, 10);
    EXPECT_TRUE(harness.run(accept_one(*listener)).ok());
    const std::vector<UniqueFd> more_clients = connect_often(*listener, 5);
    listener.reset();
    harness.run(test::next_turn());
  }

  EXPECT_EQ(test::open_fd_count(), before);
}

TEST(TcpListenerTest, WantOfDescriptorsIsReportedAndThenItGoesOn) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  const UniqueFd client = connect_to(listener->port());
  {
    const test::NoMoreFds none;
    for (int i = 0; i < 3; ++i) {
      const Status status = harness.run(accept_one(*listener)).status();
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
      EXPECT_NE(status.message().find("ulimit -n"), std::string::npos) << status;
    }
  }

  EXPECT_TRUE(harness.run(accept_one(*listener)).ok());
}

TEST(TcpListenerTest, APortInUseIsNamedWithTheRemedy) {
  const Listener listener = listen_on_loopback();
  const Status status = TcpListener::listen("127.0.0.1", listener->port()).status();

  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "listen on 127.0.0.1, port " + std::to_string(listener->port()) +
                                  ": Address already in use (EADDRINUSE); another program "
                                  "listens there: stop it, or choose another port");
}

TEST(TcpListenerTest, APortWithoutPrivilegeIsNamedWithTheRemedy) {
  const sys::FailureInjection failure(1, EACCES, sys::Call::kBind);
  const Status status = TcpListener::listen("127.0.0.1", 80).status();

  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(status.message().find("CAP_NET_BIND_SERVICE"), std::string::npos) << status;
}

TEST(TcpListenerTest, APortCanBeShared) {
  const Listener first = listen_on_loopback({.reuse_port = true});

  EXPECT_TRUE(TcpListener::listen("127.0.0.1", first->port(), {.reuse_port = true}).ok());
}

TEST(TcpListenerTest, AHostThatIsNoAddressIsRefused) {
  const Status status = TcpListener::listen("example.org", 0).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "listen on example.org, port 0: address 'example.org': not a numeric IPv4 or IPv6 "
            "address, such as 127.0.0.1 or ::1");
  EXPECT_FALSE(TcpListener::listen(std::string("127.0.0.1\0x", 11), 0).ok());
}

TEST(TcpListenerTest, OptionsOutOfRangeAreRefusedAndTheLargestAreNot) {
  for (const std::uint32_t accepted_max : {0U, 65'537U, ~0U}) {
    EXPECT_EQ(TcpListener::listen("127.0.0.1", 0, {.accepted_max = accepted_max}).status().code(),
              StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(TcpListener::listen("127.0.0.1", 0, {.backlog = 0}).status().code(), StatusCode::kInvalidArgument);

  Harness harness;
  const Listener listener = listen_on_loopback({.backlog = INT_MAX, .accepted_max = 65'536});
  const UniqueFd client = connect_to(listener->port());
  EXPECT_TRUE(harness.run(accept_one(*listener)).ok());
}

Task<Status> accept_until(TcpListener& listener, std::int64_t deadline_ns) {
  StatusOr<UniqueFd> connection = co_await listener.accept({.deadline_ns = deadline_ns});
  co_return connection.status();
}

TEST(TcpListenerTest, ADeadlineEndsAWaitAndTakesNoConnection) {
  Harness harness;
  const Listener listener = listen_on_loopback();
  for (const std::int64_t deadline_ns : {std::int64_t{1}, harness.reactor().now_ns() + 1'000'000}) {
    const Status status = harness.run(accept_until(*listener, deadline_ns));
    EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
    EXPECT_EQ(status.message(), "accept: the deadline has passed");
  }

  const UniqueFd client = connect_to(listener->port());
  EXPECT_TRUE(harness.run(accept_one(*listener)).ok());
}

TEST(TcpListenerTest, EveryAddressTakesIpv4) {
  Harness harness;
  StatusOr<Listener> listener = TcpListener::listen("", 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const UniqueFd client = connect_to((*listener)->port());

  EXPECT_TRUE(harness.run(accept_one(**listener)).ok());
}

TEST(TcpListenerTest, AFailureOnTheWayLeavesNoDescriptor) {
  const std::size_t before = test::open_fd_count();
  for (std::uint64_t k = 1;; ++k) {
    const sys::FailureInjection failure(k, ENOBUFS);
    const bool ok = TcpListener::listen("127.0.0.1", 0).ok();
    if (!failure.fired()) break;
    EXPECT_FALSE(ok && k < 7) << k;  // the last call is close
  }

  EXPECT_EQ(test::open_fd_count(), before);
}

}  // namespace
}  // namespace wharf::runtime
