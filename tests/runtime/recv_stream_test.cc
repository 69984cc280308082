#include "wharf/runtime/recv_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/udp.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/takers.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::SocketPair;
using test::TcpPair;

void write_text(const UniqueFd& socket, std::string_view text) {
  EXPECT_EQ(::send(socket.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
}

Task<std::string> next_text(RecvStream& stream, IoOptions options = {}) {
  StatusOr<ReceivedBuffer> piece = co_await stream.next(options);
  if (!piece.ok()) co_return std::string(piece.status().message());
  co_return *piece ? std::string(piece->text()) : std::string("(end)");
}

// All that comes until the end.
Task<std::string> all_text(RecvStream& stream) {
  std::string all;
  for (;;) {
    StatusOr<ReceivedBuffer> piece = co_await stream.next();
    EXPECT_TRUE(piece.ok()) << piece.status();
    if (!piece.ok() || !*piece) break;
    all.append(piece->text());
  }
  co_return all;
}

class RecvStreamTest : public test::TakerTest, public testing::WithParamInterface<test::Taker> {
 protected:
  RecvStreamTest() : TakerTest(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(BuffersTakenBy, RecvStreamTest, test::kTakers,
                         [](const auto& given) { return test::name_of(given.param); });

TEST_P(RecvStreamTest, PiecesComeInTheirOrderAndThenTheEnd) {
  TcpPair pair;
  BufferGroup buffers = group(4, 64);
  RecvStream stream(pair.right.get(), buffers);
  write_text(pair.left, "quay");
  EXPECT_EQ(run(next_text(stream)), "quay");
  write_text(pair.left, "pier");
  EXPECT_EQ(run(next_text(stream)), "pier");
  pair.left.reset();

  EXPECT_EQ(run(next_text(stream)), "(end)");
  EXPECT_EQ(run(next_text(stream)), "(end)");
  EXPECT_EQ(buffers.free_count(), 4U);
}

TEST_P(RecvStreamTest, UnixSocketsEndToo) {
  SocketPair pair;
  BufferGroup buffers = group(4, 64);
  RecvStream stream(pair.right.get(), buffers);
  write_text(pair.left, "quay");
  pair.left.reset();

  EXPECT_EQ(run(all_text(stream)), "quay");
}

Task<void> send_slowly(TcpPair& pair, std::string text) {
  for (std::size_t at = 0; at < text.size(); at += 1000) {
    write_text(pair.left, std::string_view(text).substr(at, 1000));
    co_await coro::yield();
  }
  pair.left.reset();
}

Task<void> hold_and_receive(RecvStream& stream, std::size_t held_max, std::string& all) {
  std::vector<ReceivedBuffer> held;
  for (;;) {
    StatusOr<ReceivedBuffer> piece = co_await stream.next();
    EXPECT_TRUE(piece.ok()) << piece.status();
    if (!piece.ok() || !*piece) break;
    all.append(piece->text());
    held.push_back(*std::move(piece));
    if (held.size() > held_max) held.erase(held.begin());
  }
}

Task<void> stream_through(TcpPair& pair, RecvStream& stream, std::string text, std::string& all) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(send_slowly(pair, text));
    scope.spawn(hold_and_receive(stream, 1, all));
    co_return;
  });
}

std::string long_text() {
  std::string text;
  while (text.size() < 200'000) text.append(std::to_string(text.size())).push_back(' ');
  return text;
}

TEST_P(RecvStreamTest, MoreThanAllBuffersHoldComesThroughWhole) {
  TcpPair pair;
  BufferGroup buffers = group(4, 300);
  RecvStream stream(pair.right.get(), buffers);
  std::string all;
  run(stream_through(pair, stream, long_text(), all));

  EXPECT_TRUE(all == long_text());
  EXPECT_EQ(buffers.free_count(), 4U);
}

Task<void> note_text(RecvStream* stream, std::string* text) { *text = co_await next_text(*stream); }

Task<void> end_when_told(RecvStream& greedy, TcpPair& pair, RecvStream& ending, RecvStream& other,
                         std::vector<std::string>& got) {
  StatusOr<ReceivedBuffer> held = co_await greedy.next();
  Scope scope;
  scope.spawn(note_text(&ending, &got[0]));
  for (int i = 0; i < 3; ++i) co_await test::next_turn();
  pair.left.reset();
  for (int i = 0; i < 3; ++i) co_await test::next_turn();
  scope.spawn(note_text(&other, &got[1]));
  for (int i = 0; i < 3; ++i) co_await test::next_turn();
  held->reset();
  co_await scope.join();
}

TEST_P(RecvStreamTest, AStreamThatEndsPassesTheBufferOn) {
  TcpPair pairs[3];
  BufferGroup buffers = group(1, 4);
  RecvStream greedy(pairs[0].right.get(), buffers);
  RecvStream ending(pairs[1].right.get(), buffers);
  RecvStream other(pairs[2].right.get(), buffers);
  write_text(pairs[0].left, "quay");
  write_text(pairs[2].left, "dock");
  std::vector<std::string> got(2);
  run(end_when_told(greedy, pairs[1], ending, other, got));

  EXPECT_EQ(got, (std::vector<std::string>{"(end)", "dock"}));
}

TEST_P(RecvStreamTest, EachPieceOfAConnectedUdpSocketIsADatagram) {
  UdpSocket server = *UdpSocket::bind(Address::loopback(0));
  UdpSocket client = *UdpSocket::connect(*server.local_address());
  const Address back = *client.local_address();
  BufferGroup buffers = group(4, 6);
  RecvStream stream(client.fd(), buffers);
  for (const std::string_view text : {"quay", "", "harbour"}) {
    EXPECT_GE(::sendto(server.fd(), text.data(), text.size(), 0, back.get(), back.bytes()), 0);
  }

  EXPECT_EQ(run(next_text(stream)), "quay");
  EXPECT_EQ(run(next_text(stream)), "harbou");
}

TEST_P(RecvStreamTest, ADatagramSocketThatWasShutDownHasNoEndAndKeepsNobodyBusy) {
  UdpSocket server = *UdpSocket::bind(Address::loopback(0));
  UdpSocket client = *UdpSocket::connect(*server.local_address());
  const Address back = *client.local_address();
  const SocketPair pair(SOCK_DGRAM);
  EXPECT_EQ(::sendto(server.fd(), "quay", 4, 0, back.get(), back.bytes()), 4);
  EXPECT_EQ(::send(pair.left.get(), "quay", 4, 0), 4);
  BufferGroup buffers = group(4, 16);
  for (const int socket : {client.fd(), pair.right.get()}) {
    RecvStream stream(socket, buffers);
    EXPECT_EQ(::shutdown(socket, SHUT_RD), 0);
    EXPECT_EQ(run(next_text(stream)), "quay");
    const std::uint64_t turns = reactor_->counters().turns;

    EXPECT_EQ(run(next_text(stream, {.deadline_ns = reactor_->now_ns() + 20'000'000})),
              "recv: the deadline has passed");
    EXPECT_LT(reactor_->counters().turns - turns, 500U);
  }
}

TEST_P(RecvStreamTest, BuffersAndTheGroupMayGoInAnyOrder) {
  TcpPair pair;
  std::optional<BufferGroup> buffers(group(4, 64));
  std::optional<RecvStream> stream(std::in_place, pair.right.get(), *buffers);
  write_text(pair.left, "quay");
  ReceivedBuffer kept;
  run([](RecvStream* from, ReceivedBuffer* to) -> Task<void> {
    StatusOr<ReceivedBuffer> piece = co_await from->next();
    *to = *std::move(piece);
  }(&*stream, &kept));
  buffers.reset();
  stream.reset();
  run(test::next_turn());

  EXPECT_EQ(kept.text(), "quay");
}

TEST(BufferGroupTest, ImpossibleSizesAreRefused) {
  Harness harness;
  for (const auto& [count, bytes] :
       std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 1}, {1, 0}, {32769, 1}, {1, (1U << 20) + 1}}) {
    EXPECT_EQ(BufferGroup::create(harness.reactor(), count, bytes).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(BufferGroupTest, CountsArePowersOfTwo) {
  Harness harness;

  EXPECT_EQ(BufferGroup::create(harness.reactor(), 5, 100)->count(), 8U);
}

TEST(BufferGroupTest, ManyGroupsLiveSideBySide) {
  Harness harness;
  std::vector<BufferGroup> groups;
  for (int i = 0; i < 20; ++i) groups.push_back(*BufferGroup::create(harness.reactor(), 2, 64));
  groups.erase(groups.begin() + 5);

  EXPECT_TRUE(BufferGroup::create(harness.reactor(), 2, 64).ok());
}

}  // namespace
}  // namespace wharf::runtime
