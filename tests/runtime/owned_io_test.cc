#include "wharf/runtime/owned_io.h"

#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::SocketPair;

Task<OwnedResult> receive(int fd, std::size_t bytes, IoOptions options = {}) {
  OwnedResult result = co_await recv_owned(fd, Buffer(bytes), options);
  co_return std::move(result);
}
Task<OwnedResult> send_text(int fd, std::string text) {
  OwnedResult result = co_await send_owned(fd, Buffer::copy_of(text));
  co_return std::move(result);
}

TEST(BufferTest, ItShrinksAndGrowsWithinItsCapacity) {
  Buffer buffer = Buffer::copy_of("quay");
  buffer.resize(2);
  EXPECT_EQ(buffer.text(), "qu");
  buffer.resize(100);

  EXPECT_EQ(buffer.text(), "quay");
  const Buffer moved = std::move(buffer);
  EXPECT_EQ(moved.size(), 4U);
  EXPECT_EQ(buffer.size(), 0U);  // NOLINT(bugprone-use-after-move)
}

TEST(OwnedIoTest, TheBufferComesBackWithWhatWasReceived) {
  Harness harness;
  SocketPair pair;
  const OwnedResult sent = harness.run(send_text(pair.left.get(), "quay"));
  EXPECT_EQ(*sent.count, 4U);
  EXPECT_EQ(sent.buffer.text(), "quay");

  OwnedResult got = harness.run(receive(pair.right.get(), 16));
  EXPECT_EQ(*got.count, 4U);
  EXPECT_EQ(got.buffer.size(), 16U);
  got.buffer.resize(*got.count);
  EXPECT_EQ(got.buffer.text(), "quay");
}

TEST(OwnedIoTest, TheEndIsZeroBytesAndAnErrorNamesTheOperation) {
  Harness harness;
  SocketPair pair;
  pair.left.reset();
  EXPECT_EQ(*harness.run(receive(pair.right.get(), 16)).count, 0U);

  const OwnedResult failed = harness.run(receive(1'000'000, 16));
  EXPECT_EQ(failed.count.status().message(), "recv: Bad file descriptor (EBADF)");
  EXPECT_EQ(failed.buffer.size(), 16U);
}

Task<void> write_then_read(int file) {
  OwnedResult written = co_await write_owned(file, Buffer::copy_of("a quay"), 0);
  EXPECT_EQ(*written.count, 6U);
  OwnedResult read = co_await read_owned(file, std::move(written.buffer), 2);
  EXPECT_EQ(*read.count, 4U);
  EXPECT_EQ(read.buffer.text().substr(0, 4), "quay");
}

TEST(OwnedIoTest, FilesAreWrittenAndReadAtAnOffset) {
  Harness harness;
  FILE* file = ::tmpfile();
  harness.run(write_then_read(::fileno(file)));
  ::fclose(file);
}

Task<void> note(int fd, std::optional<OwnedResult>& result) {
  OwnedResult got = co_await recv_owned(fd, Buffer(16));
  result.emplace(std::move(got));
}

Task<void> stop_a_receiver(int fd, bool in_kernel, std::optional<OwnedResult>& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note(fd, result));
    co_await coro::yield();
    if (in_kernel) co_await test::next_turn();
    scope.cancel();
  });
}

TEST(OwnedIoTest, AStopAbandonsTheOperationAndItsBuffer) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    SocketPair pair;
    std::optional<OwnedResult> result;
    harness.run(stop_a_receiver(pair.left.get(), in_kernel, result));

    EXPECT_EQ(result->count.status().message(), "recv: the task was stopped");
    EXPECT_EQ(result->buffer.size(), 0U);
  }
}

TEST(OwnedIoTest, AStoppedTaskKeepsItsBuffer) {
  Harness harness;
  SocketPair pair;
  harness.reactor().request_stop();
  const OwnedResult result = harness.run(receive(pair.left.get(), 16));

  EXPECT_EQ(result.count.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(result.buffer.size(), 16U);
}

TEST(OwnedIoTest, ADeadlineAbandonsTheOperation) {
  Harness harness;
  SocketPair pair;
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;

  EXPECT_EQ(harness.run(receive(pair.left.get(), 16, {.deadline_ns = deadline})).count.status().code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(harness.run(receive(pair.left.get(), 16, {.deadline_ns = 1})).buffer.size(), 16U);
}

TEST(OwnedIoTest, AnAwaiterThatNeverStartedGoesWithItsBuffer) {
  const SocketPair pair;
  static_cast<void>(recv_owned(pair.left.get(), Buffer(16)));
}

}  // namespace
}  // namespace wharf::runtime
