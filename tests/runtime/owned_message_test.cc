#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/owned_io.h"
#include "wharf/runtime/udp.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/pass_pidfd.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::open_fd_count;
using test::SocketPair;

constexpr std::size_t kRoomForFds = CMSG_SPACE(8 * sizeof(int));

Task<OwnedMessageResult> send_message(int socket, OwnedMessage message) {
  OwnedMessageResult result = co_await sendmsg_owned(socket, std::move(message));
  co_return std::move(result);
}
Task<OwnedMessageResult> receive_message(int socket, OwnedMessage message, IoOptions options = {}) {
  OwnedMessageResult result = co_await recvmsg_owned(socket, std::move(message), 0, options);
  co_return std::move(result);
}

OwnedMessage two_parts(std::string_view first, std::string_view second) {
  OwnedMessage message(Buffer::copy_of(first));
  message.parts.push_back(Buffer::copy_of(second));
  return message;
}
OwnedMessage room(std::size_t bytes, std::size_t control_bytes = 0) {
  OwnedMessage message{Buffer(bytes)};
  message.control = Buffer(control_bytes);
  return message;
}
// An end of a pipe, and the other one beside it.
std::pair<UniqueFd, UniqueFd> make_pipe() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

TEST(OwnedMessageTest, EveryPartIsSentAndFilledInItsOrder) {
  Harness harness;
  SocketPair pair;
  const OwnedMessageResult sent = harness.run(send_message(pair.left.get(), two_parts("quay", "side")));
  EXPECT_EQ(*sent.count, 8U);
  EXPECT_EQ(sent.message.parts[1].text(), "side");

  const OwnedMessageResult got = harness.run(receive_message(pair.right.get(), two_parts("......", "......")));
  EXPECT_EQ(*got.count, 8U);
  EXPECT_EQ(got.message.parts[0].text(), "quaysi");
  EXPECT_EQ(got.message.parts[1].text(), "de....");
  EXPECT_EQ(got.message.address.family(), AF_UNSPEC);
}

TEST(OwnedMessageTest, DatagramsHaveATargetASourceAndMayBeCut) {
  Harness harness;
  const UdpSocket server = *UdpSocket::bind(Address::loopback(0));
  const UdpSocket client = *UdpSocket::bind(Address::loopback(0));
  OwnedMessage message(Buffer::copy_of("quay"));
  message.address = *server.local_address();
  EXPECT_EQ(*harness.run(send_message(client.fd(), std::move(message))).count, 4U);

  const OwnedMessageResult got = harness.run(receive_message(server.fd(), room(3)));
  EXPECT_EQ(*got.count, 3U);
  EXPECT_EQ(got.message.address, *client.local_address());
  EXPECT_EQ(got.message.flags & MSG_TRUNC, MSG_TRUNC);
}

TEST(OwnedMessageTest, DescriptorsGoAlongBesideOtherControlMessages) {
  Harness harness;
  SocketPair pair;
  const int on = 1;
  ASSERT_EQ(::setsockopt(pair.right.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  const std::size_t before = open_fd_count();
  auto [source, target] = make_pipe();
  OwnedMessage message(Buffer::copy_of("x"));
  // Credentials, as who would send them by hand.
  message.control = Buffer(CMSG_SPACE(sizeof(ucred)));
  cmsghdr header{};
  header.cmsg_len = CMSG_LEN(sizeof(ucred));
  header.cmsg_level = SOL_SOCKET;
  header.cmsg_type = SCM_CREDENTIALS;
  const ucred self{.pid = ::getpid(), .uid = ::getuid(), .gid = ::getgid()};
  std::memset(message.control.data(), 0, message.control.size());
  std::memcpy(message.control.data(), &header, sizeof(header));
  std::memcpy(message.control.data() + CMSG_LEN(0), &self, sizeof(self));
  message.fds.push_back(std::move(source));
  message.fds.push_back(std::move(target));
  {
    OwnedMessageResult sent = harness.run(send_message(pair.left.get(), std::move(message)));
    ASSERT_TRUE(sent.count.ok()) << sent.count.status();
    EXPECT_EQ(sent.message.fds.size(), 2U);
  }

  {
    OwnedMessageResult got =
        harness.run(receive_message(pair.right.get(), room(16, kRoomForFds + CMSG_SPACE(sizeof(ucred)))));
    ASSERT_EQ(*got.count, 1U);
    ASSERT_EQ(got.message.fds.size(), 2U);
    EXPECT_EQ(got.message.control.size(), CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(ucred)));
    EXPECT_EQ(::write(got.message.fds[1].get(), "quay", 4), 4);
    char text[4];
    EXPECT_EQ(::read(got.message.fds[0].get(), text, 4), 4);
    EXPECT_NE(::fcntl(got.message.fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(open_fd_count(), before);
}

TEST(OwnedMessageTest, APidfdOfTheSenderComesBehindWhatWasSentAndGoesWithTheMessage) {
  Harness harness;
  SocketPair pair;
  if (!test::pass_pidfd(pair.right.get())) GTEST_SKIP() << "the kernel has no SO_PASSPIDFD";
  const std::size_t before = open_fd_count();
  OwnedMessage message(Buffer::copy_of("x"));
  message.fds.push_back(make_pipe().first);
  EXPECT_EQ(*harness.run(send_message(pair.left.get(), std::move(message))).count, 1U);

  {
    OwnedMessageResult got = harness.run(receive_message(pair.right.get(), room(16, kRoomForFds)));
    ASSERT_EQ(*got.count, 1U);
    ASSERT_EQ(got.message.fds.size(), 2U);
    struct stat sent;
    ASSERT_EQ(::fstat(got.message.fds[0].get(), &sent), 0);
    EXPECT_TRUE(S_ISFIFO(sent.st_mode));
  }
  EXPECT_EQ(open_fd_count(), before);
}

TEST(OwnedMessageTest, AnErrorGivesTheMessageBack) {
  Harness harness;
  const OwnedMessageResult failed = harness.run(receive_message(1'000'000, room(16)));

  EXPECT_EQ(failed.count.status().message(), "recvmsg: Bad file descriptor (EBADF)");
  EXPECT_EQ(failed.message.parts[0].size(), 16U);
  const OwnedMessageResult refused = harness.run(send_message(1'000'000, two_parts("a", "b")));
  EXPECT_EQ(refused.count.status().message(), "sendmsg: Bad file descriptor (EBADF)");
}

Task<void> note(int socket, bool sends, std::optional<OwnedMessageResult>& result) {
  if (sends) {
    const std::string text(std::size_t{4} << 20, 'x');
    OwnedMessageResult sent = co_await sendmsg_owned(socket, OwnedMessage(Buffer::copy_of(text)));
    result.emplace(std::move(sent));
  } else {
    OwnedMessageResult got = co_await recvmsg_owned(socket, room(16, kRoomForFds));
    result.emplace(std::move(got));
  }
  co_return;
}

Task<void> stop_in_the_middle(int socket, bool sends, bool in_kernel, std::optional<OwnedMessageResult>& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note(socket, sends, result));
    co_await coro::yield();
    if (in_kernel) co_await test::next_turn();
    scope.cancel();
  });
}

TEST(OwnedMessageTest, AStopAbandonsAReceiveAndItsMessage) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    SocketPair pair;
    std::optional<OwnedMessageResult> result;
    harness.run(stop_in_the_middle(pair.left.get(), false, in_kernel, result));

    EXPECT_EQ(result->count.status().message(), "recvmsg: the task was stopped");
    EXPECT_TRUE(result->message.parts.empty());
  }
}

// A full socket holds the operation.
TEST(OwnedMessageTest, AStopAbandonsASendAndItsMessage) {
  for (const bool in_kernel : {false, true}) {
    Harness harness;
    SocketPair pair;
    const std::string much(1 << 16, 'q');
    while (::send(pair.left.get(), much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    std::optional<OwnedMessageResult> result;
    harness.run(stop_in_the_middle(pair.left.get(), true, in_kernel, result));

    EXPECT_EQ(result->count.status().message(), "sendmsg: the task was stopped");
    EXPECT_TRUE(result->message.parts.empty());
  }
}

void send_fd(int socket, int file) {
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const first = CMSG_FIRSTHDR(&message);
  first->cmsg_level = SOL_SOCKET;
  first->cmsg_type = SCM_RIGHTS;
  first->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(first), &file, sizeof(file));
  EXPECT_EQ(::sendmsg(socket, &message, 0), 1);
}

// The kernel has received the message before it is told to give the operation up.
Task<void> stop_what_has_succeeded(test::FakeBackend& kernel, int socket, std::optional<OwnedMessageResult>& result) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(note(socket, false, result));
    co_await coro::yield();
    Operation& receive = *kernel.in_flight.at(0);
    auto* const message = static_cast<msghdr*>(receive.memory);
    EXPECT_EQ(::recvmsg(receive.fd, message, static_cast<int>(receive.flags)), 1);
    kernel.complete(receive, 1, false);
    scope.cancel();
  });
}

TEST(OwnedMessageTest, AnAbandonedReceiveClosesWhatItReceives) {
  const SocketPair pair;
  const auto [source, target] = make_pipe();
  auto backend = std::make_unique<test::FakeBackend>();
  test::FakeBackend& kernel = *backend;
  kernel.on_sleep = [](std::int64_t /*deadline_ns*/) {};  // which delivers what is complete
  const std::unique_ptr<Reactor> reactor = Reactor::create_on(std::move(backend));
  send_fd(pair.left.get(), source.get());
  const std::size_t before = open_fd_count();
  std::optional<OwnedMessageResult> result;
  reactor->run(stop_what_has_succeeded(kernel, pair.right.get(), result));
  kernel.poll();
  EXPECT_EQ(result->count.status().code(), StatusCode::kCancelled);

  EXPECT_TRUE(kernel.in_flight.empty());
  EXPECT_EQ(open_fd_count(), before);
}

TEST(OwnedMessageTest, ADeadlineAbandonsTheOperation) {
  Harness harness;
  SocketPair pair;
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;
  const OwnedMessageResult late = harness.run(receive_message(pair.left.get(), room(16), {.deadline_ns = deadline}));
  EXPECT_EQ(late.count.status().message(), "recvmsg: the deadline has passed");
  EXPECT_TRUE(late.message.parts.empty());

  const OwnedMessageResult never = harness.run(receive_message(pair.left.get(), room(16), {.deadline_ns = 1}));
  EXPECT_EQ(never.count.status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(never.message.parts[0].size(), 16U);
}

TEST(OwnedMessageTest, AnAwaiterThatNeverStartedGoesWithItsMessage) {
  const std::size_t before = open_fd_count();
  {
    const SocketPair pair;
    OwnedMessage message = two_parts("quay", "side");
    message.fds.push_back(make_pipe().first);
    static_cast<void>(sendmsg_owned(pair.left.get(), std::move(message)));
  }

  EXPECT_EQ(open_fd_count(), before);
}

}  // namespace
}  // namespace wharf::runtime
