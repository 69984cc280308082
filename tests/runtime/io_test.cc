#include "wharf/runtime/io.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
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

Task<void> echo_one_way(SocketPair& pair) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> sent = co_await send(pair.left.get(), bytes_of("quay"));
  EXPECT_EQ(*sent, 4U);
  StatusOr<std::size_t> received = co_await recv(pair.right.get(), buffer);
  EXPECT_EQ(*received, 4U);
  EXPECT_EQ(text_of(std::span(buffer).first(*received)), "quay");
}

TEST(IoTest, WhatIsSentIsReceived) {
  Harness harness;
  SocketPair pair;
  harness.run(echo_one_way(pair));
}

Task<StatusOr<std::size_t>> recv_from(int fd) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> received = co_await recv(fd, buffer);
  co_return received;
}

TEST(IoTest, TheEndOfTheStreamIsZeroBytes) {
  Harness harness;
  SocketPair pair;
  pair.right.reset();

  EXPECT_EQ(*harness.run(recv_from(pair.left.get())), 0U);
}

TEST(IoTest, AnErrorNamesTheOperation) {
  Harness harness;
  const Status status = harness.run(recv_from(1'000'000)).status();

  EXPECT_EQ(status.message(), "recv: Bad file descriptor (EBADF)");
}

Task<StatusOr<std::size_t>> send_to(int fd) {
  StatusOr<std::size_t> sent = co_await send(fd, bytes_of("quay"));
  co_return sent;
}

TEST(IoTest, SendingToAPeerThatHasGoneIsUnavailableAndNoSignal) {
  Harness harness;
  SocketPair pair;
  pair.right.reset();

  EXPECT_EQ(harness.run(send_to(pair.left.get())).status().code(), StatusCode::kUnavailable);
}

// One descriptor and some text, in one message.
struct FdMessage {
  explicit FdMessage(std::span<std::byte> buffer) noexcept : part{buffer.data(), buffer.size()} {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  void attach(int fd) noexcept {
    cmsghdr* first = CMSG_FIRSTHDR(&header);
    if (first == nullptr) return;
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(first), &fd, sizeof(fd));
  }
  int fd() noexcept {
    int fd = -1;
    const cmsghdr* first = CMSG_FIRSTHDR(&header);
    if (first != nullptr) std::memcpy(&fd, CMSG_DATA(first), sizeof(fd));
    return fd;
  }
  iovec part;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
};

Task<void> pass_a_descriptor(SocketPair& pair) {
  std::array<std::byte, 4> text{};
  std::array<std::byte, 16> buffer;
  FdMessage out(text);
  out.attach(pair.left.get());
  StatusOr<std::size_t> sent = co_await sendmsg(pair.left.get(), out.header);
  EXPECT_EQ(*sent, 4U);
  FdMessage in(buffer);
  StatusOr<std::size_t> received = co_await recvmsg(pair.right.get(), in.header);
  EXPECT_EQ(*received, 4U);
  const UniqueFd passed(in.fd());
  EXPECT_EQ(::fcntl(passed.get(), F_GETFD), FD_CLOEXEC);
}

TEST(IoTest, DescriptorsTravelAndArriveCloseOnExec) {
  Harness harness;
  SocketPair pair(SOCK_SEQPACKET);
  harness.run(pass_a_descriptor(pair));
}

Task<void> write_and_read_back(int file) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> count = co_await write(file, bytes_of("wharf quay"));
  EXPECT_EQ(*count, 10U);
  count = co_await write(file, bytes_of("pier"), 6);
  EXPECT_EQ(*count, 4U);
  count = co_await read(file, buffer, 0);
  EXPECT_EQ(text_of(std::span(buffer).first(*count)), "wharf pier");
  count = co_await read(file, buffer);  // the file's own position: the end
  EXPECT_EQ(*count, 0U);
}

TEST(IoTest, FilesAreWrittenAndReadAtOffsets) {
  Harness harness;
  const UniqueFd file(::memfd_create("io_test", MFD_CLOEXEC));
  harness.run(write_and_read_back(file.get()));
}

Task<void> connect_and_accept(int listener, const sockaddr_in& address) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(
        [](int socket) -> Task<void> {
          StatusOr<UniqueFd> accepted = co_await accept(socket);
          EXPECT_TRUE(accepted.ok()) << accepted.status();
          EXPECT_EQ(::fcntl(accepted->get(), F_GETFD), FD_CLOEXEC);
        },
        listener);
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Status connected =
        co_await runtime::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    EXPECT_TRUE(connected.ok()) << connected;
    StatusOr<std::size_t> end = co_await recv_from(client.get());
    EXPECT_EQ(*end, 0U);
  });
}

sockaddr_in bind_loopback(int fd) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(address);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), bytes), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  return address;
}

TEST(IoTest, AConnectionIsMadeAndAccepted) {
  Harness harness;
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = bind_loopback(listener.get());
  EXPECT_EQ(::listen(listener.get(), 8), 0);
  harness.run(connect_and_accept(listener.get(), address));
}

Task<Status> try_connect(const sockaddr_in& address) {
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Status connected =
      co_await runtime::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  co_return connected;
}

TEST(IoTest, NobodyListeningIsUnavailable) {
  Harness harness;
  const UniqueFd bound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = bind_loopback(bound.get());  // and does not listen
  const Status status = harness.run(try_connect(address));

  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "connect: Connection refused (ECONNREFUSED)");
}

Task<void> poll_both(SocketPair& pair) {
  StatusOr<std::uint32_t> events = co_await poll(pair.left.get(), POLLIN | POLLOUT);
  EXPECT_EQ(*events, static_cast<std::uint32_t>(POLLOUT));
  EXPECT_EQ(::write(pair.right.get(), "x", 1), 1);
  events = co_await poll(pair.left.get(), POLLIN);
  EXPECT_EQ(*events, static_cast<std::uint32_t>(POLLIN));
  pair.right.reset();
  events = co_await poll(pair.left.get(), POLLOUT);
  EXPECT_NE(*events & POLLHUP, 0U);
}

TEST(IoTest, PollGivesTheEventsThatHaveCome) {
  Harness harness;
  SocketPair pair;
  harness.run(poll_both(pair));
}

Task<Status> close_it(UniqueFd file) {
  Status closed = co_await close(std::move(file));
  co_return closed;
}

TEST(IoTest, CloseClosesEvenInAStoppedTask) {
  for (const bool stopped : {false, true}) {
    Harness harness;
    SocketPair pair;
    const int fd = pair.left.get();
    if (stopped) harness.reactor().request_stop();

    EXPECT_TRUE(harness.run(close_it(std::move(pair.left))).ok());
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
  }
}

TEST(IoTest, ACloseThatIsNeverAwaitedClosesToo) {
  SocketPair pair;
  const int fd = pair.left.get();
  static_cast<void>(close(std::move(pair.left)));

  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST(IoTest, ClosingNothingIsAnError) {
  Harness harness;

  EXPECT_FALSE(harness.run(close_it(UniqueFd())).ok());
}

}  // namespace
}  // namespace wharf::runtime
