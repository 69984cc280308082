#include "wharf/runtime/udp.h"

#include <array>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::bytes_of;
using test::Harness;
using test::text_of;

UdpSocket bound(const char* address = "127.0.0.1:0") {
  StatusOr<UdpSocket> socket = UdpSocket::bind(*Address::parse(address));
  EXPECT_TRUE(socket.ok()) << socket.status();
  return *std::move(socket);
}

Task<void> ask_and_answer(UdpSocket& server, UdpSocket& client) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> sent = co_await client.send_to(bytes_of("quay"), *server.local_address());
  EXPECT_EQ(*sent, 4U);
  StatusOr<Datagram> asked = co_await server.recv_from(buffer);
  EXPECT_EQ(text_of(std::span(buffer).first(asked->bytes)), "quay");
  EXPECT_EQ(asked->source, *client.local_address());
  EXPECT_FALSE(asked->cut);
  sent = co_await server.send_to({}, asked->source);
  EXPECT_EQ(*sent, 0U);
  StatusOr<Datagram> answer = co_await client.recv_from(buffer);
  EXPECT_EQ(answer->bytes, 0U);
}

TEST(UdpSocketTest, DatagramsGoThereAndBack) {
  Harness harness;
  for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
    UdpSocket server = bound(address);
    UdpSocket client = bound(address);
    harness.run(ask_and_answer(server, client));
  }
}

Task<void> cut_one(UdpSocket& server, UdpSocket& client) {
  std::array<std::byte, 3> buffer;
  StatusOr<std::size_t> sent = co_await client.send(bytes_of("quay"));
  EXPECT_EQ(*sent, 4U);
  StatusOr<Datagram> got = co_await server.recv_from(buffer);
  EXPECT_EQ(got->bytes, 3U);
  EXPECT_TRUE(got->cut);
}

TEST(UdpSocketTest, ALongerDatagramIsCutAndSaysSo) {
  Harness harness;
  UdpSocket server = bound();
  UdpSocket client = *UdpSocket::connect(*server.local_address());
  harness.run(cut_one(server, client));
}

Task<Status> send_bytes(UdpSocket& socket, std::size_t bytes) {
  const std::string text(bytes, 'x');
  StatusOr<std::size_t> sent = co_await socket.send(bytes_of(text));
  co_return sent.status();
}

TEST(UdpSocketTest, WhatIsTooLongForADatagramIsRefused) {
  Harness harness;
  UdpSocket server = bound();
  UdpSocket client = *UdpSocket::connect(*server.local_address());

  EXPECT_EQ(harness.run(send_bytes(client, 70'000)).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(harness.run(send_bytes(client, 100)).ok());
}

Task<Status> receive_from(UdpSocket& socket, IoOptions options = {}) {
  std::array<std::byte, 16> buffer;
  StatusOr<Datagram> got = co_await socket.recv_from(buffer, options);
  co_return got.status();
}

TEST(UdpSocketTest, APeerThatIsNotThereIsReportedLater) {
  Harness harness;
  UdpSocket server = bound();
  UdpSocket client = *UdpSocket::connect(*server.local_address());
  server = UdpSocket();
  EXPECT_TRUE(harness.run(send_bytes(client, 4)).ok());

  EXPECT_EQ(harness.run(receive_from(client)).code(), StatusCode::kUnavailable);
}

TEST(UdpSocketTest, ADeadlineEndsAReceive) {
  Harness harness;
  UdpSocket socket = bound();
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;

  EXPECT_EQ(harness.run(receive_from(socket, {.deadline_ns = deadline})).code(), StatusCode::kDeadlineExceeded);
}

Task<void> note_receive(UdpSocket& socket, Status& result) { result = co_await receive_from(socket); }

Task<void> stop_a_receiver(UdpSocket& socket, bool in_kernel, Status& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note_receive(socket, result));
    co_await coro::yield();
    if (in_kernel) co_await test::next_turn();
    scope.cancel();
  });
}

TEST(UdpSocketTest, AStopEndsAReceiveAndTakesNothing) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    UdpSocket server = bound();
    UdpSocket client = *UdpSocket::connect(*server.local_address());
    Status result;
    harness.run(stop_a_receiver(server, in_kernel, result));
    EXPECT_EQ(result.message(), "recvfrom: the task was stopped");
    EXPECT_TRUE(harness.run(send_bytes(client, 4)).ok());

    EXPECT_TRUE(harness.run(receive_from(server)).ok());
  }
}

TEST(UdpSocketTest, AnAddressInUseIsRefusedUnlessItIsShared) {
  UdpSocket first = *UdpSocket::bind(Address::loopback(0), {.reuse_port = true});
  const Address taken = *first.local_address();

  EXPECT_EQ(UdpSocket::bind(taken).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(UdpSocket::bind(taken, {.reuse_port = true, .broadcast = true}).ok());
}

TEST(UdpSocketTest, OnlyIpAddressesWillDo) {
  EXPECT_EQ(UdpSocket::bind(*Address::unix_path("quay")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(UdpSocket::connect(Address()).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace wharf::runtime
