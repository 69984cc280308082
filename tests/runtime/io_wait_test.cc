// Every operation of io.h and transfer.h that may wait for another process ends with its deadline, and with its task's stop.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/transfer.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::SocketPair;

// Nothing is there to be read from `empty`, and there is no room for more in `full`.
struct Files {
  Files() {
    const std::string much(1 << 16, 'q');
    while (::send(pair.left.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    int fds[2] = {-1, -1};
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    pipe_end.reset(fds[0]);
    pipe_start.reset(fds[1]);
    std::string path = "/tmp/wharf_io_wait_XXXXXX";
    file.reset(::mkostemp(path.data(), O_CLOEXEC));
    ::unlink(path.c_str());
    EXPECT_EQ(::write(file.get(), "quay", 4), 4);
  }
  int empty() const noexcept { return pair.left.get(); }
  int full() const noexcept { return pair.left.get(); }

  SocketPair pair;
  UniqueFd pipe_end;
  UniqueFd pipe_start;
  UniqueFd file;
};

Task<Status> do_read(Files& files, IoOptions options) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> done = co_await read(files.empty(), buffer, kCurrentPosition, options);
  co_return done.status();
}
Task<Status> do_readv(Files& files, IoOptions options) {
  std::array<std::byte, 16> buffer;
  const std::array<iovec, 1> parts{{{buffer.data(), buffer.size()}}};
  StatusOr<std::size_t> done = co_await readv(files.empty(), parts, kCurrentPosition, options);
  co_return done.status();
}
Task<Status> do_recvmsg(Files& files, IoOptions options) {
  std::array<std::byte, 16> buffer;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  StatusOr<std::size_t> done = co_await recvmsg(files.empty(), message, 0, options);
  co_return done.status();
}
Task<Status> do_poll(Files& files, IoOptions options) {
  StatusOr<std::uint32_t> done = co_await poll(files.empty(), POLLIN, options);
  co_return done.status();
}
Task<Status> do_splice(Files& files, IoOptions options) {
  StatusOr<std::size_t> done =
      co_await splice(files.pipe_end.get(), kCurrentPosition, files.file.get(), kCurrentPosition, 16, options);
  co_return done.status();
}
Task<Status> do_write(Files& files, IoOptions options) {
  StatusOr<std::size_t> done = co_await write(files.full(), test::bytes_of("quay"), kCurrentPosition, options);
  co_return done.status();
}
Task<Status> do_writev(Files& files, IoOptions options) {
  std::string text = "quay";
  const std::array<iovec, 1> parts{{{text.data(), text.size()}}};
  StatusOr<std::size_t> done = co_await writev(files.full(), parts, kCurrentPosition, options);
  co_return done.status();
}
Task<Status> do_send(Files& files, IoOptions options) {
  StatusOr<std::size_t> done = co_await send(files.full(), test::bytes_of("quay"), options);
  co_return done.status();
}
Task<Status> do_sendmsg(Files& files, IoOptions options) {
  std::string text = "quay";
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  StatusOr<std::size_t> done = co_await sendmsg(files.full(), message, 0, options);
  co_return done.status();
}
Task<Status> do_send_file(Files& files, IoOptions options) {
  StatusOr<std::uint64_t> done = co_await send_file(files.full(), files.file.get(), 0, 4, options);
  co_return done.status();
}

struct Waiting {
  const char* name;
  Task<Status> (*start)(Files&, IoOptions);
};
constexpr Waiting kWaiting[] = {
    {"read", do_read},       {"readv", do_readv},         {"recvmsg", do_recvmsg}, {"poll", do_poll},
    {"splice", do_splice},   {"write", do_write},         {"writev", do_writev},   {"send", do_send},
    {"sendmsg", do_sendmsg}, {"send_file", do_send_file},
};

class IoWaitTest : public testing::TestWithParam<Waiting> {};

INSTANTIATE_TEST_SUITE_P(Operations, IoWaitTest, testing::ValuesIn(kWaiting),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST_P(IoWaitTest, ADeadlineEndsIt) {
  Harness harness;
  Files files;
  for (const std::int64_t deadline_ns : {std::int64_t{1}, harness.reactor().now_ns() + 1'000'000}) {
    const Status ended = harness.run(GetParam().start(files, {.deadline_ns = deadline_ns}));
    EXPECT_EQ(ended.code(), StatusCode::kDeadlineExceeded) << ended;
  }
}

Task<void> note(Waiting waiting, Files* files, Status* ended) { *ended = co_await waiting.start(*files, {}); }

Task<void> stop_one(Waiting waiting, Files& files, bool in_kernel, Status& ended) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note(waiting, &files, &ended));
    co_await coro::yield();
    if (in_kernel) co_await test::next_turn();
    scope.cancel();
  });
}

TEST_P(IoWaitTest, AStopEndsIt) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    Files files;
    Status ended;
    harness.run(stop_one(GetParam(), files, in_kernel, ended));

    EXPECT_EQ(ended.code(), StatusCode::kCancelled) << ended;
  }
}

}  // namespace
}  // namespace wharf::runtime
