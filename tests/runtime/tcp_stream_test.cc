#include "wharf/runtime/tcp_stream.h"

#include <netinet/tcp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/tcp.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::bytes_of;
using test::Harness;
using namespace std::chrono_literals;

struct Pair {
  TcpStream client;
  TcpStream server;
};

Task<Pair> connected() {
  std::unique_ptr<TcpListener> listener = *TcpListener::listen("127.0.0.1", 0);
  StatusOr<TcpStream> client = co_await TcpStream::connect(Address::loopback(listener->port()));
  EXPECT_TRUE(client.ok()) << client.status();
  StatusOr<UniqueFd> accepted = co_await listener->accept();
  Pair pair;
  pair.client = *std::move(client);
  pair.server = TcpStream(*std::move(accepted));
  co_return std::move(pair);
}

int option(const TcpStream& stream, int level, int name) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  EXPECT_EQ(::getsockopt(stream.fd(), level, name, &value, &bytes), 0);
  return value;
}

Task<void> speak() {
  Pair pair = co_await connected();
  Status sent = co_await pair.client.send_all(bytes_of("quay"));
  EXPECT_TRUE(sent.ok());
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> got = co_await pair.server.recv(buffer);
  EXPECT_EQ(test::text_of(std::span(buffer).first(*got)), "quay");
  EXPECT_TRUE(pair.client.shutdown_sending().ok());
  got = co_await pair.server.recv(buffer);
  EXPECT_EQ(*got, 0U);
  sent = co_await pair.server.send_all(bytes_of("pier"));  // the other way is open still
  EXPECT_TRUE(sent.ok());
  got = co_await pair.client.recv(buffer);
  EXPECT_EQ(*got, 4U);
  Status closed = co_await pair.client.close();
  EXPECT_TRUE(closed.ok());
  EXPECT_FALSE(pair.client);
}

TEST(TcpStreamTest, BothSidesSpeakAndEndEachOnItsOwn) {
  Harness harness;
  harness.run(speak());
}

TEST(TcpStreamTest, AddressesAreThoseOfTheOtherSide) {
  Harness harness;
  const Pair pair = harness.run(connected());

  EXPECT_EQ(*pair.client.local_address(), *pair.server.peer_address());
  EXPECT_EQ(*pair.client.peer_address(), *pair.server.local_address());
  EXPECT_EQ(pair.client.local_address()->host(), "127.0.0.1");
  EXPECT_FALSE(TcpStream().local_address().ok());
}

TEST(TcpStreamTest, OptionsReachTheSocket) {
  Harness harness;
  Pair pair = harness.run(connected());
  EXPECT_EQ(option(pair.client, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_TRUE(pair.client.set_no_delay(false).ok());
  EXPECT_TRUE(pair.client.set_keepalive(30s, 3).ok());
  EXPECT_TRUE(pair.client.set_user_timeout(1500ms).ok());

  EXPECT_EQ(option(pair.client, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option(pair.client, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(pair.client, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option(pair.client, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option(pair.client, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
}

// 2^32 + 30 seconds are not 30.
TEST(TcpStreamTest, OptionsThatNoSocketTakesAreRefusedAndChangeNothing) {
  Harness harness;
  Pair pair = harness.run(connected());
  const std::chrono::seconds beyond_int((std::int64_t{1} << 32) + 30);
  for (const std::chrono::seconds idle : {0s, -1s, 32'768s, beyond_int}) {
    const Status status = pair.client.set_keepalive(idle);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << idle.count();
    EXPECT_EQ(status.message(), "set_keepalive: 1 to 32767 seconds, and 1 to 127 probes");
  }
  for (const int probe_count : {0, -1, 128}) {
    EXPECT_EQ(pair.client.set_keepalive(30s, probe_count).code(), StatusCode::kInvalidArgument);
  }
  for (const std::chrono::milliseconds limit : {-1ms, std::chrono::milliseconds((std::int64_t{1} << 32) + 1500)}) {
    EXPECT_EQ(pair.client.set_user_timeout(limit).code(), StatusCode::kInvalidArgument);
  }

  EXPECT_EQ(option(pair.client, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_NE(option(pair.client, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option(pair.client, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_TRUE(pair.client.set_keepalive(32'767s, 127).ok());
  EXPECT_TRUE(pair.client.set_user_timeout(2'147'483'647ms).ok());
}

Task<Status> connect_to(Address address, TcpConnectOptions options = {}) {
  StatusOr<TcpStream> stream = co_await TcpStream::connect(std::move(address), options);
  co_return stream.status();
}

TEST(TcpStreamTest, NobodyListeningIsUnavailableAndNamed) {
  Harness harness;
  const std::size_t before = test::open_fd_count();
  std::uint16_t port = (*TcpListener::listen("127.0.0.1", 0))->port();  // closed at once
  const Status status = harness.run(connect_to(Address::loopback(port)));

  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "127.0.0.1:" + std::to_string(port) + ": connect: Connection refused (ECONNREFUSED)");
  EXPECT_EQ(test::open_fd_count(), before);
}

TEST(TcpStreamTest, OnlyIpAddressesWillDo) {
  Harness harness;
  EXPECT_EQ(harness.run(connect_to(*Address::unix_path("/run/quay"))).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(harness.run(connect_to(Address())).code(), StatusCode::kInvalidArgument);
}

// A listener whose backlog is full: further connections are not answered.
struct FullListener {
  FullListener() : listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    Address any = Address::loopback(0);
    EXPECT_EQ(::bind(listener.get(), any.get(), any.bytes()), 0);
    EXPECT_EQ(::listen(listener.get(), 0), 0);
    sockaddr_in bound{};
    socklen_t bytes = sizeof(bound);
    EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound), &bytes), 0);
    address = Address::loopback(ntohs(bound.sin_port));
    filler = test::connect_to(address.port());
  }
  UniqueFd listener;
  Address address;
  UniqueFd filler;
};

TEST(TcpStreamTest, ADeadlineEndsAConnectThatNobodyAnswers) {
  Harness harness;
  const FullListener full;
  const std::size_t before = test::open_fd_count();
  const std::int64_t deadline = harness.reactor().now_ns() + 2'000'000;

  EXPECT_EQ(harness.run(connect_to(full.address, {.deadline_ns = deadline})).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(test::open_fd_count(), before);
}

TEST(TcpStreamTest, AStopEndsAConnect) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    const FullListener full;

    EXPECT_EQ(harness.run(test::stopped(connect_to(full.address), in_kernel)).code(), StatusCode::kCancelled);
  }
}

Task<void> send_to_nobody() {
  Pair pair = co_await connected();
  pair.server = TcpStream();
  Status sent = absl::OkStatus();
  while (sent.ok()) sent = co_await pair.client.send_all(bytes_of("quay"));
  EXPECT_EQ(sent.code(), StatusCode::kUnavailable) << sent;
}

TEST(TcpStreamTest, APeerThatHasGoneIsUnavailable) {
  Harness harness;
  harness.run(send_to_nobody());
}

Task<void> receive_into(TcpStream& stream, std::string& all) {
  std::array<std::byte, 5000> buffer;
  for (;;) {
    StatusOr<std::size_t> count = co_await stream.recv(buffer);
    EXPECT_TRUE(count.ok()) << count.status();
    if (!count.ok() || *count == 0) break;
    all.append(test::text_of(std::span(buffer).first(*count)));
  }
}

Task<void> send_much(TcpStream& stream, int file, std::string text) {
  Status sent = co_await stream.send_all(bytes_of(text));
  EXPECT_TRUE(sent.ok()) << sent;
  StatusOr<std::uint64_t> moved = co_await stream.send_file(file, 0, text.size());
  EXPECT_EQ(*moved, text.size());
  stream.shutdown_sending().IgnoreError();
}

Task<void> transfer(std::string text, std::string& all) {
  const UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  Pair pair = co_await connected();
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(receive_into(pair.server, all));
    scope.spawn(send_much(pair.client, file.get(), text));
    co_return;
  });
}

TEST(TcpStreamTest, MoreThanTheSocketHoldsArrivesWhole) {
  Harness harness;
  std::string text;
  while (text.size() < 3'000'000) text.append(std::to_string(text.size()));
  std::string all;
  harness.run(transfer(text, all));

  EXPECT_TRUE(all == text + text);
}

Task<void> shut_down_under_a_receiver() {
  Pair pair = co_await connected();
  std::string all = "none";
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(receive_into(pair.server, all));
    co_await test::next_turn();
    EXPECT_TRUE(pair.server.shutdown().ok());
  });
  EXPECT_EQ(all, "none");
}

TEST(TcpStreamTest, AShutdownEndsAReceiveThatWaits) {
  Harness harness;
  harness.run(shut_down_under_a_receiver());
}

}  // namespace
}  // namespace wharf::runtime
