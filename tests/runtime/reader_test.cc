#include "wharf/runtime/reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/stream_socket.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::Harness;
using test::SocketPair;

// Gives a text in pieces of a fixed size, then its end, or a failure first.
struct FakeStream {
  std::string text;
  std::size_t piece_bytes = 1;
  std::size_t fail_at = ~std::size_t{0};  // once, before this offset is read
  std::size_t at = 0;

  Task<StatusOr<std::size_t>> read_some(std::span<std::byte> target, IoOptions /*options*/) {
    EXPECT_FALSE(target.empty());
    if (at >= fail_at) {
      fail_at = ~std::size_t{0};
      co_return make_status(StatusCode::kCancelled, "stopped");
    }
    const std::size_t bytes = std::min({piece_bytes, target.size(), text.size() - at});
    std::ranges::copy(test::bytes_of(std::string_view(text).substr(at, bytes)), target.begin());
    at += bytes;
    co_return bytes;
  }
};

// Each line in brackets; then how it ended.
Task<std::string> all_lines(FakeStream& stream, std::size_t capacity) {
  Reader reader(stream, capacity);
  std::string lines;
  for (;;) {
    StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
    if (!line.ok()) co_return lines + std::string(line.status().message());
    if (!line->has_value()) co_return lines + ".";
    lines.append("[").append(**line).append("]");
  }
}

TEST(ReaderTest, LinesComeWithoutTheirEnds) {
  for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
    Harness harness;
    FakeStream stream{.text = "quay\npier\r\n\n\r\na\rb\nlast", .piece_bytes = piece};

    EXPECT_EQ(harness.run(all_lines(stream, 16)), "[quay][pier][][][a\rb][last].");
  }
}

TEST(ReaderTest, ACarriageReturnWithoutALineFeedIsPartOfTheLine) {
  Harness harness;
  FakeStream stream{.text = "quay\r"};

  EXPECT_EQ(harness.run(all_lines(stream, 16)), "[quay\r].");
}

TEST(ReaderTest, AnEmptyStreamHasNoLine) {
  Harness harness;
  FakeStream stream;

  EXPECT_EQ(harness.run(all_lines(stream, 16)), ".");
}

TEST(ReaderTest, ALineMayFillTheBufferAndNoMore) {
  Harness harness;
  FakeStream fits{.text = "quays\npiers\n", .piece_bytes = 4};
  FakeStream longer{.text = "a\nquays\r\n", .piece_bytes = 100};

  EXPECT_EQ(harness.run(all_lines(fits, 6)), "[quays][piers].");
  EXPECT_EQ(harness.run(all_lines(longer, 6)), "[a]read: longer than the reader's buffer");
}

Task<void> read_pieces(FakeStream& stream) {
  Reader reader(stream, 16);
  StatusOr<std::string_view> head = co_await reader.read_until("--");
  EXPECT_EQ(*head, "quay--");
  std::array<std::byte, 3> three;
  Status read = co_await reader.read_exactly(three);
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(test::text_of(three), "abc");
  StatusOr<std::string_view> ahead = co_await reader.peek(2);
  EXPECT_EQ(*ahead, "de");
  reader.skip(1);
  std::array<std::byte, 20> many;
  read = co_await reader.read_exactly(many);  // more than the buffer holds
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(test::text_of(many), "e0123456789012345678");
  std::array<std::byte, 2> two;
  StatusOr<std::size_t> some = co_await reader.read_some(two);
  EXPECT_GE(*some, 1U);
}

TEST(ReaderTest, PiecesOfEveryKindFollowEachOther) {
  for (const std::size_t piece : {1U, 2U, 5U, 100U}) {
    Harness harness;
    FakeStream stream{.text = "quay--abcde012345678901234567890", .piece_bytes = piece};
    harness.run(read_pieces(stream));
  }
}

TEST(ReaderTest, ADelimiterMayComeInPieces) {
  Harness harness;
  FakeStream stream{.text = "a-\r\n\r-\r\n\r\nrest", .piece_bytes = 1};
  const std::string head = harness.run([](FakeStream* from) -> Task<std::string> {
    Reader reader(*from, 64);
    StatusOr<std::string_view> text = co_await reader.read_until("\r\n\r\n");
    co_return std::string(*text);
  }(&stream));

  EXPECT_EQ(head, "a-\r\n\r-\r\n\r\n");
}

Task<void> read_too_much(FakeStream& stream) {
  Reader reader(stream, 16);
  StatusOr<std::string_view> head = co_await reader.read_until("--");
  EXPECT_EQ(head.status().code(), StatusCode::kOutOfRange);
  std::array<std::byte, 5> five;
  Status read = co_await reader.read_exactly(five);
  EXPECT_EQ(read.code(), StatusCode::kOutOfRange);
  StatusOr<std::string_view> ahead = co_await reader.peek(17);
  EXPECT_EQ(ahead.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(reader.buffered(), "quay");  // nothing is lost
}

TEST(ReaderTest, AStreamThatEndsBeforeIsAnError) {
  Harness harness;
  FakeStream stream{.text = "quay"};
  harness.run(read_too_much(stream));
}

Task<void> fail_once(FakeStream& stream) {
  Reader reader(stream, 16);
  StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
  EXPECT_EQ(line.status().code(), StatusCode::kCancelled);
  line = co_await reader.read_line();
  EXPECT_EQ(**line, "quay");
}

TEST(ReaderTest, ACallThatFailedLosesNothing) {
  Harness harness;
  FakeStream stream{.text = "quay\n", .fail_at = 2};
  harness.run(fail_once(stream));
}

Task<void> miss_a_deadline(StreamSocket& stream, int peer) {
  Reader reader(stream);
  EXPECT_EQ(::send(peer, "qu", 2, 0), 2);
  const std::int64_t deadline = Reactor::current().now_ns() + 1'000'000;
  StatusOr<std::optional<std::string_view>> line = co_await reader.read_line({.deadline_ns = deadline});
  EXPECT_EQ(line.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(::send(peer, "ay\n", 3, 0), 3);
  line = co_await reader.read_line();
  EXPECT_EQ(**line, "quay");
}

TEST(ReaderTest, ADeadlineEndsACallOnASocket) {
  Harness harness;
  SocketPair pair;
  StreamSocket stream(std::move(pair.left));
  harness.run(miss_a_deadline(stream, pair.right.get()));
}

TEST(ReaderTest, AStopEndsACall) {
  Harness harness;
  SocketPair pair;
  StreamSocket stream(std::move(pair.left));
  Reader reader(stream);

  EXPECT_EQ(harness.run(test::stopped(reader.read_line())).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace wharf::runtime
