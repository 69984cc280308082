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
#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/udp.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/without_rings.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::SocketPair;

// A pair of sockets of each kind.
struct TcpPair {
  TcpPair() {
    std::unique_ptr<TcpListener> listener = *TcpListener::listen("127.0.0.1", 0);
    left = test::connect_to(listener->port());
    right.reset(::accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  UniqueFd left;
  UniqueFd right;
};

void write_text(const UniqueFd& socket, std::string_view text) {
  EXPECT_EQ(::send(socket.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
}

Task<std::string> next_text(RecvStream& stream) {
  StatusOr<ReceivedBuffer> piece = co_await stream.next();
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

// Who takes a buffer of the group.
enum class Taker { kKernel, kEpoll, kStream };

class RecvStreamTest : public testing::TestWithParam<Taker> {
 protected:
  RecvStreamTest() {
    switch (GetParam()) {
      case Taker::kKernel:
        reactor_ = *Reactor::create();
        break;
      case Taker::kEpoll:
        reactor_ = Reactor::create_on(*detail::EpollBackend::create(64));
        break;
      case Taker::kStream:
        reactor_ = Reactor::create_on(std::make_unique<test::WithoutRings>());
        break;
    }
  }
  BufferGroup group(std::uint32_t count, std::uint32_t bytes) {
    StatusOr<BufferGroup> group = BufferGroup::create(*reactor_, count, bytes);
    EXPECT_TRUE(group.ok()) << group.status();
    return *std::move(group);
  }
  template <class T>
  T run(Task<T> task) {
    return reactor_->run(std::move(task));
  }
  test::Watchdog watchdog_;
  std::unique_ptr<Reactor> reactor_;
};

constexpr const char* kTakerNames[] = {"Kernel", "Epoll", "Stream"};
INSTANTIATE_TEST_SUITE_P(BuffersTakenBy, RecvStreamTest,
                         testing::Values(Taker::kKernel, Taker::kEpoll, Taker::kStream),
                         [](const auto& instance) {
                           return kTakerNames[static_cast<int>(instance.param)];
                         });

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

Task<void> starve(RecvStream& greedy, RecvStream& other, std::string& got) {
  std::vector<ReceivedBuffer> held;
  for (int i = 0; i < 2; ++i) {
    StatusOr<ReceivedBuffer> piece = co_await greedy.next();
    held.push_back(*std::move(piece));
  }
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn([](RecvStream* stream,
                   std::string* text) -> Task<void> { *text = co_await next_text(*stream); },
                &other, &got);
    co_await test::next_turn();
    EXPECT_EQ(got, "");
    held.clear();
  });
}

TEST_P(RecvStreamTest, AStreamWaitsUntilABufferIsFree) {
  TcpPair first;
  TcpPair second;
  BufferGroup buffers = group(2, 4);
  RecvStream greedy(first.right.get(), buffers);
  RecvStream other(second.right.get(), buffers);
  write_text(first.left, "quaypier");
  write_text(second.left, "dock");
  std::string got;
  run(starve(greedy, other, got));

  EXPECT_EQ(got, "dock");
}

Task<void> stop_a_receiver(RecvStream& stream, bool in_kernel, std::string& got) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn([](RecvStream* from,
                   std::string* text) -> Task<void> { *text = co_await next_text(*from); },
                &stream, &got);
    co_await coro::yield();
    if (in_kernel) co_await test::next_turn();
    scope.cancel();
  });
}

TEST_P(RecvStreamTest, AStopEndsTheWaitAndLosesNothing) {
  for (const bool in_kernel : {false, true}) {
    TcpPair pair;
    BufferGroup buffers = group(4, 64);
    RecvStream stream(pair.right.get(), buffers);
    std::string got;
    run(stop_a_receiver(stream, in_kernel, got));
    EXPECT_EQ(got, "recv: the task was stopped");
    write_text(pair.left, "quay");

    EXPECT_EQ(run(next_text(stream)), "quay");
  }
}

Task<void> close_while_waiting(RecvStream& stream, std::string& got) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn([](RecvStream* from,
                   std::string* text) -> Task<void> { *text = co_await next_text(*from); },
                &stream, &got);
    co_await test::next_turn();
    stream.close();
  });
}

TEST_P(RecvStreamTest, CloseEndsTheWaitAndEveryLaterOne) {
  TcpPair pair;
  BufferGroup buffers = group(4, 64);
  RecvStream stream(pair.right.get(), buffers);
  std::string got;
  run(close_while_waiting(stream, got));

  EXPECT_EQ(got, "recv: the stream was closed");
  EXPECT_EQ(run(next_text(stream)), "recv: the stream was closed");
}

TEST_P(RecvStreamTest, WhatIsQueuedGoesBackToTheGroupWhenTheStreamDies) {
  TcpPair pair;
  BufferGroup buffers = group(4, 2);
  {
    RecvStream stream(pair.right.get(), buffers);
    write_text(pair.left, "quaypier");
    EXPECT_EQ(run(next_text(stream)), "qu");
    run(test::next_turn());
  }
  run(test::next_turn());  // the last completion of what was abandoned

  EXPECT_EQ(buffers.free_count(), 4U);
}

TEST_P(RecvStreamTest, AnErrorIsGivenAgainAndAgain) {
  BufferGroup buffers = group(4, 64);
  RecvStream stream(1'000'000, buffers);
  const std::string first = run(next_text(stream));

  EXPECT_NE(first.find("EBADF"), std::string::npos) << first;
  EXPECT_EQ(run(next_text(stream)), first);
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
  for (const auto& [count, bytes] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {0, 1}, {1, 0}, {32769, 1}, {1, (1U << 20) + 1}}) {
    EXPECT_EQ(BufferGroup::create(harness.reactor(), count, bytes).status().code(),
              StatusCode::kInvalidArgument);
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
