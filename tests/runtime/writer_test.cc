#include "wharf/runtime/writer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/stream_socket.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::Harness;
using test::SocketPair;

// Notes what is written, and takes so much at a time.
struct FakeStream {
  std::size_t piece_bytes = 1000;
  bool fails = false;
  std::vector<std::string> writes{};

  Task<StatusOr<std::size_t>> write_some(std::span<const std::byte> bytes, IoOptions /*options*/) {
    EXPECT_FALSE(bytes.empty());
    if (fails) co_return make_status(StatusCode::kUnavailable, "gone");
    const std::size_t count = std::min(bytes.size(), piece_bytes);
    writes.emplace_back(test::text_of(bytes.first(count)));
    co_return count;
  }
};

Task<void> write_all(FakeStream& stream, std::vector<std::string> texts) {
  Writer writer(stream, 8);
  for (const std::string& text : texts) {
    Status written = co_await writer.write(text);
    EXPECT_TRUE(written.ok()) << written;
  }
  Status flushed = co_await writer.flush();
  EXPECT_TRUE(flushed.ok()) << flushed;
  EXPECT_EQ(writer.buffered_bytes(), 0U);
}

TEST(WriterTest, SmallWritesGoTogether) {
  Harness harness;
  FakeStream stream;
  harness.run(write_all(stream, {"quay", "", "pi", "er"}));

  EXPECT_EQ(stream.writes, (std::vector<std::string>{"quaypier"}));
}

TEST(WriterTest, AStreamThatTakesNothingIsAnErrorAndNotALoop) {
  Harness harness;
  FakeStream stream{.piece_bytes = 0};
  auto write = [](FakeStream& nothing) -> Task<Status> {
    Writer writer(nothing, 8);
    Status written = co_await writer.write("more than it holds");
    co_return written;
  };

  EXPECT_FALSE(harness.run(write(stream)).ok());
}

TEST(WriterTest, WhatDoesNotFitFollowsWhatWasThere) {
  Harness harness;
  FakeStream stream;
  harness.run(write_all(stream, {"quay", "harbour", "a long sentence", "x"}));

  EXPECT_EQ(stream.writes, (std::vector<std::string>{"quay", "harbour", "a long sentence", "x"}));
}

TEST(WriterTest, ShortWritesGoOn) {
  Harness harness;
  FakeStream stream{.piece_bytes = 3};
  harness.run(write_all(stream, {"quay", "a long sentence"}));
  std::string all;
  for (const std::string& text : stream.writes) all += text;

  EXPECT_EQ(all, "quaya long sentence");
}

Task<void> write_to_nobody(FakeStream& stream) {
  Writer writer(stream, 8);
  Status status = co_await writer.write("quay");
  EXPECT_TRUE(status.ok());
  status = co_await writer.flush();
  EXPECT_EQ(status.message(), "gone");
  stream.fails = false;
  status = co_await writer.write("quay");
  EXPECT_EQ(status.message(), "gone");
  status = co_await writer.flush();
  EXPECT_EQ(status.message(), "gone");
}

TEST(WriterTest, AnErrorIsGivenByEveryLaterCall) {
  Harness harness;
  FakeStream stream{.fails = true};
  harness.run(write_to_nobody(stream));

  EXPECT_TRUE(stream.writes.empty());
}

Task<void> miss_a_deadline(StreamSocket& stream) {
  Writer writer(stream, 8);
  const std::string text(1 << 22, 'x');
  const std::int64_t deadline = Reactor::current().now_ns() + 1'000'000;
  Status status = co_await writer.write(text, {.deadline_ns = deadline});
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
}

TEST(WriterTest, ADeadlineEndsAWriteThatNobodyReads) {
  Harness harness;
  SocketPair pair;
  StreamSocket stream(std::move(pair.left));
  harness.run(miss_a_deadline(stream));
}

}  // namespace
}  // namespace wharf::runtime
