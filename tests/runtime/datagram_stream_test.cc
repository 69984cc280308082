#include "wharf/runtime/datagram_stream.h"

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/udp.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/takers.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::SocketPair;

UdpSocket bound(const char* address = "127.0.0.1:0") { return *UdpSocket::bind(*Address::parse(address)); }

void send_text(const UdpSocket& from, const UdpSocket& to, std::string_view text) {
  const Address target = *to.local_address();
  EXPECT_EQ(::sendto(from.fd(), text.data(), text.size(), 0, target.get(), target.bytes()),
            static_cast<ssize_t>(text.size()));
}

// Its text, or what went wrong.
Task<std::string> next_text(DatagramStream& stream, IoOptions options = {}) {
  StatusOr<ReceivedDatagram> datagram = co_await stream.next(options);
  if (!datagram.ok()) co_return std::string(datagram.status().message());
  co_return std::string(datagram->text());
}

Task<StatusOr<ReceivedDatagram>> next_datagram(DatagramStream& stream) {
  StatusOr<ReceivedDatagram> datagram = co_await stream.next();
  co_return std::move(datagram);
}

class DatagramStreamTest : public test::TakerTest, public testing::WithParamInterface<test::Taker> {
 protected:
  DatagramStreamTest() : TakerTest(GetParam()) {}
  // With room for datagrams of so many bytes.
  BufferGroup group(std::uint32_t count, std::size_t bytes) {
    return TakerTest::group(count, DatagramStream::kHeaderBytes + bytes);
  }
};

INSTANTIATE_TEST_SUITE_P(BuffersTakenBy, DatagramStreamTest, test::kTakers,
                         [](const auto& given) { return test::name_of(given.param); });

TEST_P(DatagramStreamTest, EachDatagramComesWithItsSourceInTheirOrder) {
  for (const char* address : {"127.0.0.1:0", "[::1]:0"}) {
    const UdpSocket server = bound(address);
    const UdpSocket first = bound(address);
    const UdpSocket second = bound(address);
    BufferGroup buffers = group(4, 64);
    DatagramStream stream(server.fd(), buffers);
    send_text(first, server, "quay");
    send_text(second, server, "pier");

    StatusOr<ReceivedDatagram> one = run(next_datagram(stream));
    StatusOr<ReceivedDatagram> two = run(next_datagram(stream));
    EXPECT_EQ(one->text(), "quay");
    EXPECT_EQ(one->source(), *first.local_address());
    EXPECT_EQ(two->text(), "pier");
    EXPECT_EQ(two->source(), *second.local_address());
    EXPECT_FALSE(one->cut());
  }
}

TEST_P(DatagramStreamTest, OnlyALongerDatagramIsCutAndSaysSo) {
  const UdpSocket server = bound();
  const UdpSocket client = bound();
  BufferGroup buffers = group(4, 4);
  DatagramStream stream(server.fd(), buffers);
  send_text(client, server, "quay");
  send_text(client, server, "harbour");

  StatusOr<ReceivedDatagram> fits = run(next_datagram(stream));
  EXPECT_EQ(fits->text(), "quay");
  EXPECT_FALSE(fits->cut());
  StatusOr<ReceivedDatagram> cut = run(next_datagram(stream));
  EXPECT_EQ(cut->text(), "harb");
  EXPECT_TRUE(cut->cut());
  EXPECT_EQ(cut->source(), *client.local_address());
}

TEST_P(DatagramStreamTest, AnEmptyDatagramIsOneToo) {
  const UdpSocket server = bound();
  const UdpSocket client = bound();
  BufferGroup buffers = group(4, 64);
  DatagramStream stream(server.fd(), buffers);
  for (const std::string_view text : {"", "quay", "", ""}) send_text(client, server, text);

  StatusOr<ReceivedDatagram> empty = run(next_datagram(stream));
  EXPECT_EQ(empty->bytes().size(), 0U);
  EXPECT_EQ(empty->source(), *client.local_address());
  EXPECT_EQ(run(next_text(stream)), "quay");
  EXPECT_EQ(run(next_text(stream)), "");
  EXPECT_EQ(run(next_text(stream)), "");
}

TEST_P(DatagramStreamTest, UnixSocketsWillDoAndMayHaveNoName) {
  const SocketPair pair(SOCK_DGRAM);
  const Address name = *Address::unix_abstract("wharf-datagrams-" + std::to_string(::getpid()));
  ASSERT_EQ(::bind(pair.right.get(), name.get(), name.bytes()), 0);
  BufferGroup buffers = group(4, 64);
  DatagramStream left(pair.left.get(), buffers);
  DatagramStream right(pair.right.get(), buffers);
  EXPECT_EQ(::send(pair.left.get(), "quay", 4, 0), 4);
  EXPECT_EQ(::send(pair.right.get(), "pier", 4, 0), 4);

  StatusOr<ReceivedDatagram> nameless = run(next_datagram(right));
  EXPECT_EQ(nameless->text(), "quay");
  EXPECT_EQ(nameless->source().family(), AF_UNSPEC);
  StatusOr<ReceivedDatagram> named = run(next_datagram(left));
  EXPECT_EQ(named->text(), "pier");
  EXPECT_EQ(named->source(), name);
}

Task<void> receive_holding(DatagramStream& stream, int count, std::size_t held_max) {
  std::vector<ReceivedDatagram> held;
  for (int i = 0; i < count; ++i) {
    StatusOr<ReceivedDatagram> datagram = co_await stream.next();
    EXPECT_EQ(datagram->text(), std::to_string(i));
    if (held.size() == held_max) held.erase(held.begin());
    held.push_back(*std::move(datagram));
  }
}

TEST_P(DatagramStreamTest, MoreThanTheQueueAndTheBuffersHoldComesThrough) {
  const UdpSocket server = bound();
  const UdpSocket client = bound();
  for (const std::uint32_t queued_max : {0U, 2U, 100U}) {
    BufferGroup buffers = group(4, 16);
    {
      DatagramStream stream(server.fd(), buffers, {.queued_max = queued_max});
      for (int i = 0; i < 60; ++i) send_text(client, server, std::to_string(i));
      run(receive_holding(stream, 60, 3));
    }
    run(test::next_turn());
    EXPECT_EQ(buffers.free_count(), 4U);
  }
}

TEST_P(DatagramStreamTest, ASocketThatWasShutDownHasNothingMoreAndKeepsNobodyBusy) {
  const SocketPair pair(SOCK_DGRAM);
  BufferGroup buffers = group(4, 16);
  DatagramStream stream(pair.right.get(), buffers);
  EXPECT_EQ(::send(pair.left.get(), "quay", 4, 0), 4);
  EXPECT_EQ(::shutdown(pair.right.get(), SHUT_RD), 0);
  EXPECT_EQ(run(next_text(stream)), "quay");
  const std::uint64_t turns = reactor_->counters().turns;

  EXPECT_EQ(run(next_text(stream, {.deadline_ns = reactor_->now_ns() + 20'000'000})),
            "recvmsg: the deadline has passed");
  EXPECT_LT(reactor_->counters().turns - turns, 500U);
}

TEST_P(DatagramStreamTest, AnErrorIsToldOnceAndReceivingGoesOn) {
  UdpSocket server = bound();
  const Address address = *server.local_address();
  const UdpSocket client = *UdpSocket::connect(address);
  BufferGroup buffers = group(4, 16);
  DatagramStream stream(client.fd(), buffers);
  server = UdpSocket();
  EXPECT_EQ(::send(client.fd(), "quay", 4, 0), 4);  // nobody is there
  EXPECT_EQ(run(next_text(stream)), "recvmsg: Connection refused (ECONNREFUSED)");
  server = *UdpSocket::bind(address);
  send_text(server, client, "pier");

  EXPECT_EQ(run(next_text(stream)), "pier");
}

TEST_P(DatagramStreamTest, BuffersWithoutRoomForADatagramAreRefused) {
  const UdpSocket server = bound();
  BufferGroup buffers = group(4, 0);
  DatagramStream stream(server.fd(), buffers);

  EXPECT_EQ(run(next_text(stream)),
            "recvmsg: Invalid argument (EINVAL); give the group buffers of "
            "DatagramStream::kHeaderBytes and the datagram");
  EXPECT_EQ(run(next_datagram(stream)).status().code(), StatusCode::kInvalidArgument);
}

TEST_P(DatagramStreamTest, DatagramsOutliveTheStreamAndTheGroup) {
  const UdpSocket server = bound();
  const UdpSocket client = bound();
  std::optional<BufferGroup> buffers(group(4, 16));
  std::optional<DatagramStream> stream(std::in_place, server.fd(), *buffers);
  send_text(client, server, "quay");
  StatusOr<ReceivedDatagram> kept = run(next_datagram(*stream));
  buffers.reset();
  stream.reset();
  run(test::next_turn());

  EXPECT_EQ(kept->text(), "quay");
  kept->reset();
  EXPECT_EQ(kept->text(), "");
  EXPECT_EQ(kept->source().family(), AF_UNSPEC);
}

}  // namespace
}  // namespace wharf::runtime
