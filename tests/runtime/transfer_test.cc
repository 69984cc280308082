#include "wharf/runtime/transfer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::bytes_of;
using test::Harness;
using test::SocketPair;
using test::text_of;

constexpr std::size_t kLargeBytes = std::size_t{3} << 20;  // more than any socket's buffer

// Text that differs from place to place.
std::string make_text(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * i / 7) % 26);
  return text;
}

UniqueFd make_file(const std::string& text) {
  UniqueFd file(::memfd_create("transfer_test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return file;
}

Task<void> recv_until_end(int socket, std::string& text) {
  std::array<std::byte, 16384> buffer;
  for (;;) {
    StatusOr<std::size_t> count = co_await recv(socket, buffer);
    if (!count.ok() || *count == 0) co_return;
    text.append(text_of(std::span(buffer).first(*count)));
  }
}

Task<void> send_and_close(UniqueFd socket, const std::string& text, Status& result) {
  result = co_await send_all(socket.get(), bytes_of(text));
}

Task<void> transfer_text(SocketPair& pair, const std::string& text, std::string& received) {
  Status result;
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(send_and_close(std::move(pair.left), text, result));
    scope.spawn(recv_until_end(pair.right.get(), received));
    co_return;
  });
  EXPECT_TRUE(result.ok()) << result;
}

TEST(SendAllTest, LargeTextArrivesWhole) {
  Harness harness;
  SocketPair pair;
  const std::string text = make_text(kLargeBytes);
  std::string received;
  harness.run(transfer_text(pair, text, received));

  EXPECT_TRUE(received == text);
}

TEST(SendAllTest, NothingIsSentAtOnce) {
  Harness harness;
  SocketPair pair;

  EXPECT_TRUE(harness.run(send_all(pair.left.get(), {})).ok());
}

TEST(SendAllTest, ThePeersGoingIsUnavailable) {
  Harness harness;
  SocketPair pair;
  pair.right.reset();

  EXPECT_EQ(harness.run(send_all(pair.left.get(), bytes_of("quay"))).code(), StatusCode::kUnavailable);
}

TEST(SendAllTest, ADeadlineEndsASendThatNobodyReads) {
  Harness harness;
  SocketPair pair;
  const std::string text = make_text(kLargeBytes);
  const std::int64_t deadline = harness.reactor().now_ns() + 2'000'000;

  EXPECT_EQ(harness.run(send_all(pair.left.get(), bytes_of(text), {.deadline_ns = deadline})).code(),
            StatusCode::kDeadlineExceeded);
}

using SentBytes = StatusOr<std::uint64_t>;

Task<void> send_file_and_close(UniqueFd socket, int file, std::uint64_t offset, std::uint64_t count,
                               SentBytes& result) {
  result = co_await send_file(socket.get(), file, offset, count);
}

Task<void> transfer_file(SocketPair& pair, int file, std::uint64_t offset, std::uint64_t count, SentBytes& result,
                         std::string& received) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(send_file_and_close(std::move(pair.left), file, offset, count, result));
    scope.spawn(recv_until_end(pair.right.get(), received));
    co_return;
  });
}

TEST(SendFileTest, APartOfALargeFileArrivesWhole) {
  Harness harness;
  SocketPair pair;
  const std::string text = make_text(kLargeBytes);
  const UniqueFd file = make_file(text);
  SentBytes result;
  std::string received;
  harness.run(transfer_file(pair, file.get(), 100, kLargeBytes - 200, result, received));

  EXPECT_EQ(*result, kLargeBytes - 200);
  EXPECT_TRUE(received == text.substr(100, kLargeBytes - 200));
}

TEST(SendFileTest, AFileThatEndsEarlyGivesWhatItHad) {
  Harness harness;
  SocketPair pair;
  const UniqueFd file = make_file("quay");
  SentBytes result;
  std::string received;
  harness.run(transfer_file(pair, file.get(), 1, 1000, result, received));

  EXPECT_EQ(*result, 3U);
  EXPECT_EQ(received, "uay");
}

TEST(SendFileTest, TheSocketStaysInBlockingMode) {
  Harness harness;
  SocketPair pair;
  const UniqueFd file = make_file("quay");

  EXPECT_EQ(*harness.run(send_file(pair.left.get(), file.get(), 0, 4)), 4U);
  EXPECT_EQ(::fcntl(pair.left.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(SendFileTest, ThePeersGoingIsUnavailable) {
  Harness harness;
  SocketPair pair;
  pair.right.reset();
  const UniqueFd file = make_file("quay");

  const Status status = harness.run(send_file(pair.left.get(), file.get(), 0, 4)).status();

  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  EXPECT_EQ(status.message().substr(0, 10), "send_file:");
}

TEST(SendFileTest, ASocketThatIsNoneIsAnError) {
  Harness harness;
  const UniqueFd file = make_file("quay");

  EXPECT_FALSE(harness.run(send_file(1'000'000, file.get(), 0, 4)).ok());
}

Task<void> stop_a_transfer(SocketPair& pair, int file, SentBytes& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(send_file_and_close(std::move(pair.left), file, 0, kLargeBytes, result));
    co_await test::next_turn();
    scope.cancel();
  });
}

TEST(SendFileTest, AStopEndsATransferThatNobodyReads) {
  Harness harness;
  SocketPair pair;
  const UniqueFd file = make_file(make_text(kLargeBytes));
  SentBytes result;
  harness.run(stop_a_transfer(pair, file.get(), result));

  EXPECT_EQ(result.status().code(), StatusCode::kCancelled) << result.status();
}

}  // namespace
}  // namespace wharf::runtime
