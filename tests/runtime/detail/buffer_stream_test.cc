// What RecvStream and DatagramStream do alike: each test is one of either, with each taker of buffers.
#include "wharf/runtime/detail/buffer_stream.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/datagram_stream.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/udp.h"
#include "wharf/tests/runtime/takers.h"

namespace wharf::runtime::detail {
namespace {

using coro::Scope;
using coro::Task;
using test::next_turn;
using test::Taker;

constexpr std::uint32_t kTextBytes = 4;  // of each piece and datagram here

// A stream, and the other end of its socket.
class AnyStream {
 public:
  AnyStream() = default;
  AnyStream(const AnyStream&) = delete;
  AnyStream& operator=(const AnyStream&) = delete;
  virtual ~AnyStream() = default;

  virtual void send(std::string_view text) = 0;
  // The text, or what went wrong.
  virtual Task<std::string> next(IoOptions options = {}) = 0;
  // The same, and keeps the buffer.
  virtual Task<std::string> keep() = 0;
  virtual void give_back_first() = 0;
  virtual void close() = 0;

  Task<void> note_next(std::string& text) { text = co_await next(); }
};

// How a kind of stream is made: of a pair of sockets, of which it receives from `target`; or of any descriptor.
struct Pieces {
  using Stream = RecvStream;
  static constexpr std::size_t kHeadBytes = 0;
  test::TcpPair pair;
  UniqueFd& source = pair.left;
  UniqueFd& target = pair.right;
};

struct Datagrams {
  using Stream = DatagramStream;
  static constexpr std::size_t kHeadBytes = DatagramStream::kHeaderBytes;
  Datagrams() {
    UdpSocket server = *UdpSocket::bind(Address::loopback(0));
    UdpSocket client = *UdpSocket::connect(*server.local_address());
    source.reset(::fcntl(client.fd(), F_DUPFD_CLOEXEC, 0));
    target.reset(::fcntl(server.fd(), F_DUPFD_CLOEXEC, 0));
  }
  UniqueFd source;
  UniqueFd target;
};

template <class Sockets>
class StreamOf final : public AnyStream {
 public:
  explicit StreamOf(BufferGroup& group) : stream_(sockets_.target.get(), group) {}
  StreamOf(BufferGroup& group, int descriptor) : stream_(descriptor, group) {}

  void send(std::string_view text) override {
    EXPECT_EQ(::send(sockets_.source.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  Task<std::string> next(IoOptions options) override {
    auto given = co_await stream_.next(options);
    if (!given.ok()) co_return std::string(given.status().message());
    co_return std::string(given->text());
  }
  Task<std::string> keep() override {
    auto given = co_await stream_.next();
    if (!given.ok()) co_return std::string(given.status().message());
    kept_.push_back(*std::move(given));
    co_return std::string(kept_.back().text());
  }
  void give_back_first() override { kept_.erase(kept_.begin()); }
  void close() override { stream_.close(); }

 private:
  using Given = decltype(std::declval<typename Sockets::Stream&>().next().await_resume());
  using Item = typename Given::value_type;

  Sockets sockets_;
  typename Sockets::Stream stream_;
  std::vector<Item> kept_;
};

enum class Kind { kPieces, kDatagrams };
using Given = std::tuple<Kind, Taker>;

class BufferStreamTest : public test::TakerTest, public testing::WithParamInterface<Given> {
 protected:
  BufferStreamTest() : TakerTest(std::get<1>(GetParam())) {}
  bool datagrams() const { return std::get<0>(GetParam()) == Kind::kDatagrams; }
  // Of buffers with room for kTextBytes.
  BufferGroup group(std::uint32_t count) {
    const std::size_t head_bytes = datagrams() ? Datagrams::kHeadBytes : Pieces::kHeadBytes;
    return TakerTest::group(count, head_bytes + kTextBytes);
  }
  template <class... Arguments>
  std::unique_ptr<AnyStream> make(BufferGroup& group, Arguments... arguments) {
    if (datagrams()) return std::make_unique<StreamOf<Datagrams>>(group, arguments...);
    return std::make_unique<StreamOf<Pieces>>(group, arguments...);
  }
  // As its messages begin.
  std::string operation() const { return datagrams() ? "recvmsg" : "recv"; }
};

std::string name_of(const testing::TestParamInfo<Given>& given) {
  const bool datagrams = std::get<0>(given.param) == Kind::kDatagrams;
  const std::string taker = test::name_of(std::get<1>(given.param));
  return (datagrams ? "DatagramsTakenBy" : "PiecesTakenBy") + taker;
}

INSTANTIATE_TEST_SUITE_P(Of, BufferStreamTest,
                         testing::Combine(testing::Values(Kind::kPieces, Kind::kDatagrams), test::kTakers), name_of);

Task<void> wait_twice(AnyStream& stream, std::vector<std::string>& got) {
  Scope scope;
  scope.spawn(stream.note_next(got[0]));
  scope.spawn(stream.note_next(got[1]));
  co_await next_turn();
  stream.send("quay");
  stream.send("pier");
  co_await scope.join();
}

TEST_P(BufferStreamTest, TasksThatWaitAreServedInTheirOrder) {
  BufferGroup buffers = group(4);
  const auto stream = make(buffers);
  std::vector<std::string> got(2);
  run(wait_twice(*stream, got));

  EXPECT_EQ(got, (std::vector<std::string>{"quay", "pier"}));
}

Task<void> stop_a_receiver(AnyStream& stream, bool in_kernel, std::string& got) {
  Scope scope;
  scope.spawn(stream.note_next(got));
  co_await coro::yield();
  if (in_kernel) co_await next_turn();
  scope.cancel();
  co_await scope.join();
}

TEST_P(BufferStreamTest, AStopEndsTheWaitAndLosesNothing) {
  BufferGroup buffers = group(4);
  for (const bool in_kernel : {false, true}) {
    const auto stream = make(buffers);
    std::string got;
    run(stop_a_receiver(*stream, in_kernel, got));
    EXPECT_EQ(got, operation() + ": the task was stopped");
    stream->send("quay");

    EXPECT_EQ(run(stream->next()), "quay");
  }
}

TEST_P(BufferStreamTest, ADeadlineEndsTheWaitAndLosesNothing) {
  BufferGroup buffers = group(4);
  const auto stream = make(buffers);
  for (const std::int64_t deadline_ns : {std::int64_t{1}, reactor_->now_ns() + 1'000'000}) {
    EXPECT_EQ(run(stream->next({.deadline_ns = deadline_ns})), operation() + ": the deadline has passed");
  }
  stream->send("quay");

  EXPECT_EQ(run(stream->next({.deadline_ns = reactor_->now_ns() + 60'000'000'000})), "quay");
}

Task<void> close_while_waiting(AnyStream& stream, std::string& got) {
  Scope scope;
  scope.spawn(stream.note_next(got));
  co_await next_turn();
  stream.close();
  co_await scope.join();
}

TEST_P(BufferStreamTest, CloseEndsTheWaitAndEveryLaterOne) {
  BufferGroup buffers = group(4);
  const auto stream = make(buffers);
  std::string got;
  run(close_while_waiting(*stream, got));

  EXPECT_EQ(got, operation() + ": the stream was closed");
  EXPECT_EQ(run(stream->next()), operation() + ": the stream was closed");
}

TEST_P(BufferStreamTest, WhatIsQueuedGoesBackToTheGroupWhenTheStreamDies) {
  BufferGroup buffers = group(4);
  {
    const auto stream = make(buffers);
    for (int i = 0; i < 3; ++i) stream->send("quay");
    EXPECT_EQ(run(stream->next()), "quay");
    run(next_turn());
    stream->send("pier");  // for a stream that is armed, and about to go
  }
  run(next_turn());  // the last completion of what was abandoned

  EXPECT_EQ(buffers.free_count(), 4U);
}

TEST_P(BufferStreamTest, ADescriptorThatIsNoneIsAnErrorEachTime) {
  BufferGroup buffers = group(4);
  const auto stream = make(buffers, 1'000'000);
  const std::string first = run(stream->next());

  EXPECT_NE(first.find("EBADF"), std::string::npos) << first;
  EXPECT_EQ(run(stream->next()), first);
}

Task<void> keep_all(AnyStream& stream, int count) {
  for (int i = 0; i < count; ++i) {
    stream.send("held");
    const std::string text = co_await stream.keep();
    EXPECT_EQ(text, "held");
  }
}

Task<void> starve(AnyStream& greedy, AnyStream& other, std::string& got) {
  co_await keep_all(greedy, 2);
  other.send("dock");
  Scope scope;
  scope.spawn(other.note_next(got));
  co_await next_turn();
  EXPECT_EQ(got, "");
  greedy.give_back_first();
  co_await scope.join();
}

TEST_P(BufferStreamTest, AStreamWaitsUntilABufferIsFree) {
  BufferGroup buffers = group(2);
  const auto greedy = make(buffers);
  const auto other = make(buffers);
  std::string got;
  run(starve(*greedy, *other, got));

  EXPECT_EQ(got, "dock");
}

Task<void> wait_idly_before(AnyStream& greedy, AnyStream& idle, AnyStream& other, std::string& got) {
  co_await keep_all(greedy, 2);
  std::string nothing;
  Scope idlers;
  idlers.spawn(idle.note_next(nothing));
  co_await next_turn();
  other.send("dock");
  Scope scope;
  scope.spawn(other.note_next(got));
  for (int i = 0; i < 3; ++i) co_await next_turn();
  greedy.give_back_first();
  co_await scope.join();
  idlers.cancel();
  co_await idlers.join();
}

TEST_P(BufferStreamTest, AStreamWithNothingToReceiveKeepsNoBufferFromOthers) {
  BufferGroup buffers = group(2);
  const auto greedy = make(buffers);
  const auto idle = make(buffers);
  const auto other = make(buffers);
  std::string got;
  run(wait_idly_before(*greedy, *idle, *other, got));

  EXPECT_EQ(got, "dock");
}

Task<void> close_when_told(AnyStream& greedy, AnyStream& first, AnyStream& second, std::string& got) {
  co_await keep_all(greedy, 1);
  first.send("dock");
  second.send("dock");
  std::string closed;
  Scope scope;
  scope.spawn(first.note_next(closed));
  for (int i = 0; i < 3; ++i) co_await next_turn();
  scope.spawn(second.note_next(got));
  for (int i = 0; i < 3; ++i) co_await next_turn();
  greedy.give_back_first();
  first.close();
  co_await scope.join();
}

TEST_P(BufferStreamTest, AStreamThatClosesPassesTheBufferOn) {
  BufferGroup buffers = group(1);
  const auto greedy = make(buffers);
  const auto first = make(buffers);
  const auto second = make(buffers);
  std::string got;
  run(close_when_told(*greedy, *first, *second, got));

  EXPECT_EQ(got, "dock");
}

}  // namespace
}  // namespace wharf::runtime::detail
