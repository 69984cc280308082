// What coro::dump_tasks says of the waits that the runtime offers.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/dump.h"
#include "wharf/coro/scope.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/recv_stream.h"
#include "wharf/runtime/tcp.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/harness.h"

#if WHARF_TASK_TRACE

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using std::chrono::hours;
using test::Harness;

// The dump while `task` waits. It is stopped afterwards.
Task<std::string> dump_of(Task<void> task) {
  Scope scope;
  scope.spawn(std::move(task));
  co_await test::next_turn();
  std::string dump = coro::dump_tasks(Reactor::current());
  scope.cancel();
  co_await scope.join();
  co_return dump;
}

std::string dump_while(Task<void> task) {
  Harness harness;
  return harness.run(dump_of(std::move(task)));
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Task<void> receive(int fd, IoOptions options) {
  std::byte byte;
  const std::span<std::byte> buffer(&byte, 1);
  static_cast<void>(co_await recv(fd, buffer, options));
}

TEST(DumpTasksTest, AnOperationIsShownWithItsDescriptor) {
  const test::SocketPair sockets;

  const std::string dump = dump_while(receive(sockets.left.get(), {}));

  EXPECT_TRUE(has(dump, ": recv fd " + std::to_string(sockets.left.get()) + "\n")) << dump;
  EXPECT_TRUE(has(dump, "receive(int")) << dump;
  EXPECT_TRUE(has(dump, "runtime/dump_tasks_test.cc:")) << dump;
}

TEST(DumpTasksTest, AnOperationIsShownWithTheTimeThatItHasLeft) {
  const test::SocketPair sockets;
  const IoOptions options{.deadline_ns = deadline_after(now_ns(), 1'000'000'000'000)};

  const std::string dump = dump_while(receive(sockets.left.get(), options));

  EXPECT_TRUE(has(dump, ": recv fd " + std::to_string(sockets.left.get()) + ", ")) << dump;
  EXPECT_TRUE(has(dump, " s left\n")) << dump;
}

TEST(DumpTasksTest, ASleepIsShownWithTheTimeThatItHasLeft) {
  const auto sleeper = []() -> Task<void> { static_cast<void>(co_await sleep_for(hours(1))); };

  const std::string dump = dump_while(sleeper());

  EXPECT_TRUE(has(dump, ": sleep, 3")) << dump;
}

TEST(DumpTasksTest, AnAcceptIsShownWithItsPort) {
  StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen("127.0.0.1", 0);
  ASSERT_TRUE(listener.ok());
  const auto acceptor = [](TcpListener& from) -> Task<void> { static_cast<void>(co_await from.accept()); };
  const std::string port = std::to_string((*listener)->port());

  Harness harness;
  const std::string dump = harness.run(dump_of(acceptor(**listener)));
  (*listener)->close();

  EXPECT_TRUE(has(dump, ": TcpListener::accept on port " + port + "\n")) << dump;
}

Task<void> take_pieces(int fd, std::int64_t deadline_ns) {
  StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 1, 16);
  RecvStream stream(fd, *group);
  StatusOr<ReceivedBuffer> piece = co_await stream.next({.deadline_ns = deadline_ns});
  EXPECT_FALSE(piece.ok());
}

TEST(DumpTasksTest, AStreamIsShownWithItsDescriptorAndTheTimeThatItHasLeft) {
  const test::SocketPair sockets;
  const int fd = sockets.left.get();
  const std::int64_t deadline_ns = deadline_after(now_ns(), 1'000'000'000'000);

  const std::string dump = dump_while(take_pieces(fd, deadline_ns));

  EXPECT_TRUE(has(dump, ": RecvStream::next fd " + std::to_string(fd) + ", ")) << dump;
  EXPECT_TRUE(has(dump, " s left\n")) << dump;
}

TEST(DumpTasksTest, ATaskWithATimeoutStandsUnderWhoeverAwaitsIt) {
  const auto sleeper = []() -> Task<Status> {
    static_cast<void>(co_await sleep_for(hours(2)));
    co_return absl::OkStatus();
  };
  const auto hasty = [](Task<Status> task) -> Task<void> {
    static_cast<void>(co_await with_timeout(hours(1), std::move(task)));
  };

  const std::string dump = dump_while(hasty(sleeper()));

  EXPECT_TRUE(has(dump, ": with_timeout, 3")) << dump;
  EXPECT_TRUE(has(dump, ": sleep, 7")) << dump;
  EXPECT_LT(dump.find("with_timeout"), dump.find("sleep,")) << dump;
}

}  // namespace
}  // namespace wharf::runtime

#endif
