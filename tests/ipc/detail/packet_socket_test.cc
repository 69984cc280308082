#include "wharf/ipc/detail/packet_socket.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/ipc/raw_link.h"
#include "wharf/tests/support/fds.h"

namespace wharf::ipc::detail {
namespace {

using runtime::UniqueFd;
using test::bytes_of;
using test::RawLink;
using test::Tracer;
namespace sys = runtime::sys;
using Descriptors = std::vector<UniqueFd>;

constexpr std::size_t kPacketBytesMax = 4096;

class PacketSocketTest : public ::testing::Test {
 protected:
  PacketSocketTest() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    other_.reset(fds[1]);
    socket_.emplace(UniqueFd(fds[0]), kPacketBytesMax);
  }
  // The other end, as an honest one and as one that is driven by hand.
  PacketSocket& honest() {
    if (!honest_.has_value()) honest_.emplace(test::duplicate(other_), kPacketBytesMax);
    return *honest_;
  }
  RawLink raw() { return RawLink(test::duplicate(other_), false); }

  static PacketSocket::Sent send_text(PacketSocket& from, std::string_view text, std::span<const UniqueFd> fds = {}) {
    PacketHeader header{};
    header.kind = PacketKind::kMessage;
    header.type = 5;
    header.message_bytes = text.size();
    const iovec part{const_cast<char*>(text.data()), text.size()};
    std::vector<int> borrowed;
    for (const UniqueFd& fd : fds) borrowed.push_back(fd.get());
    return from.send(header, {&part, 1}, borrowed);
  }
  static std::string text_of(const PacketSocket& socket) {
    return {reinterpret_cast<const char*>(socket.payload().data()), socket.payload().size()};
  }
  // Expects that the next packet is refused for this reason.
  void expect_violation(std::string_view reason) {
    EXPECT_EQ(socket_->receive(), PacketSocket::Got::kFailed);
    EXPECT_EQ(socket_->status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(socket_->status().message()).find(reason), std::string::npos) << socket_->status();
    EXPECT_TRUE(socket_->take_fds().empty());
  }

  UniqueFd other_;
  std::optional<PacketSocket> socket_;
  std::optional<PacketSocket> honest_;
};

TEST_F(PacketSocketTest, PacketsArriveWholeAndInOrder) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_EQ(send_text(*socket_, test::pattern(i * 1000, i)), PacketSocket::Sent::kSent);
  }
  EXPECT_EQ(socket_->sent_count(), 5u);
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_EQ(honest().receive(), PacketSocket::Got::kPacket);
    EXPECT_EQ(honest().header().sequence, i);
    EXPECT_EQ(honest().header().type, 5u);
    EXPECT_TRUE(text_of(honest()) == test::pattern(i * 1000, i));
  }
  EXPECT_EQ(honest().receive(), PacketSocket::Got::kEmpty);
  EXPECT_EQ(honest().received_count(), 5u);
}

TEST_F(PacketSocketTest, GathersTheParts) {
  const std::string texts[] = {"one ", "", "two ", "three"};
  std::vector<iovec> parts;
  for (const std::string& text : texts) parts.push_back({const_cast<char*>(text.data()), text.size()});

  ASSERT_EQ(socket_->send({.kind = PacketKind::kMessage}, parts, {}), PacketSocket::Sent::kSent);

  ASSERT_EQ(honest().receive(), PacketSocket::Got::kPacket);
  EXPECT_EQ(text_of(honest()), "one two three");
}

TEST_F(PacketSocketTest, DescriptorsArriveInOrderAndStayTheSendersToo) {
  for (std::size_t count = 0; count <= shm::kFdCountMax; ++count) {
    Descriptors fds;
    for (std::size_t i = 0; i < count; ++i) fds.push_back(test::numbered_file(i));

    ASSERT_EQ(send_text(*socket_, "with", fds), PacketSocket::Sent::kSent);

    ASSERT_EQ(honest().receive(), PacketSocket::Got::kPacket);
    Fds received = honest().take_fds();
    ASSERT_EQ(received.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_TRUE(test::same_file(received[i], fds[i]));
      EXPECT_TRUE(test::is_close_on_exec(received[i].get()));
    }
  }
}

// A duplicate of our end is in somebody else's hands, who has the kernel add a pidfd to each packet.
TEST_F(PacketSocketTest, APidfdThatTheKernelAddsIsRefusedAndClosed) {
  constexpr int kSoPassPidfd = 76;  // Linux 6.5; not in the headers of Debian 12
  const int on = 1;
  if (::setsockopt(socket_->fd(), SOL_SOCKET, kSoPassPidfd, &on, sizeof(on)) != 0) GTEST_SKIP() << "needs Linux 6.5";
  const std::size_t fds_before = test::open_fd_count();
  for (const std::size_t count : {0, 1}) {
    Descriptors fds;
    for (std::size_t i = 0; i < count; ++i) fds.push_back(test::numbered_file(i));

    ASSERT_EQ(send_text(honest(), "with a pidfd", fds), PacketSocket::Sent::kSent);

    expect_violation("packet.fd_count");
  }
  honest_.reset();
  EXPECT_EQ(test::open_fd_count(), fds_before);
}

TEST_F(PacketSocketTest, UnixSocketsMayBeSent) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd kept(pair[0]);
  {
    const UniqueFd sent(pair[1]);
    ASSERT_EQ(send_text(*socket_, "a link", {&sent, 1}), PacketSocket::Sent::kSent);
  }

  ASSERT_EQ(honest().receive(), PacketSocket::Got::kPacket);
  Fds received = honest().take_fds();
  ASSERT_EQ(received.size(), 1u);

  EXPECT_EQ(::send(received[0].get(), "x", 1, 0), 1);
  received.clear();
  char byte = 0;
  EXPECT_EQ(::recv(kept.get(), &byte, 1, 0), 1);
  EXPECT_EQ(::recv(kept.get(), &byte, 1, 0), 0) << "closed";
}

TEST_F(PacketSocketTest, DescriptorsThatNobodyTakesAreClosedWithTheNextReceive) {
  Tracer tracer;
  {
    const UniqueFd fd = tracer.take();
    ASSERT_EQ(send_text(*socket_, "with", {&fd, 1}), PacketSocket::Sent::kSent);
  }
  ASSERT_EQ(honest().receive(), PacketSocket::Got::kPacket);
  EXPECT_FALSE(tracer.closed_everywhere());

  EXPECT_EQ(honest().receive(), PacketSocket::Got::kEmpty);

  EXPECT_TRUE(tracer.closed_everywhere());
}

TEST_F(PacketSocketTest, TheEndIsNoEmptyPacket) {
  other_.reset();

  EXPECT_EQ(socket_->receive(), PacketSocket::Got::kEnd);
  EXPECT_EQ(send_text(*socket_, "x"), PacketSocket::Sent::kFailed);
  EXPECT_EQ(socket_->status().code(), StatusCode::kUnavailable);
}

TEST_F(PacketSocketTest, AnEmptyPacketIsAViolation) {
  raw().send_bytes("");

  expect_violation("packet is empty");
}

TEST_F(PacketSocketTest, WhatWasSentBeforeAResetIsReceived) {
  ASSERT_EQ(send_text(*socket_, "unread"), PacketSocket::Sent::kSent);
  ASSERT_EQ(send_text(honest(), "last words"), PacketSocket::Sent::kSent);
  honest().close();
  other_.reset();

  ASSERT_EQ(socket_->receive(), PacketSocket::Got::kPacket);
  EXPECT_EQ(text_of(*socket_), "last words");
  EXPECT_EQ(socket_->receive(), PacketSocket::Got::kEnd);
}

TEST_F(PacketSocketTest, CloseEndsTheConnectionWhoeverElseHoldsTheSocket) {
  const UniqueFd same(::dup(socket_->fd()));

  socket_->close();

  EXPECT_FALSE(socket_->open());
  EXPECT_EQ(honest().receive(), PacketSocket::Got::kEnd);
}

TEST_F(PacketSocketTest, S20_APacketIsSentWholeOrNotAtAll) {
  const std::string text(kPacketBytesMax, 'x');
  std::uint64_t sent = 0;
  while (send_text(*socket_, text) == PacketSocket::Sent::kSent) ++sent;
  EXPECT_EQ(socket_->sent_count(), sent);
  ASSERT_EQ(send_text(*socket_, text), PacketSocket::Sent::kFull);

  for (std::uint64_t i = 0; i < sent; ++i) {
    ASSERT_EQ(honest().receive(), PacketSocket::Got::kPacket);
    ASSERT_EQ(honest().payload().size(), text.size());
  }

  EXPECT_EQ(send_text(*socket_, text), PacketSocket::Sent::kSent);
  EXPECT_EQ(honest().receive(), PacketSocket::Got::kPacket) << "the sequence has no gap";
}

TEST_F(PacketSocketTest, WantOfKernelMemoryIsAFullSocketAndTooManyDescriptorsAreAnError) {
  {
    const sys::FailureInjection failure(1, ENOBUFS, sys::Call::kSendmsg);
    EXPECT_EQ(send_text(*socket_, "x"), PacketSocket::Sent::kFull);
  }
  {
    const sys::FailureInjection failure(1, ETOOMANYREFS, sys::Call::kSendmsg);
    EXPECT_EQ(send_text(*socket_, "x"), PacketSocket::Sent::kFailed);
    EXPECT_EQ(socket_->status().code(), StatusCode::kResourceExhausted) << socket_->status();
    EXPECT_NE(std::string(socket_->status().message()).find("RLIMIT_NOFILE"), std::string::npos);
  }
  EXPECT_EQ(send_text(*socket_, "x"), PacketSocket::Sent::kSent);
  EXPECT_EQ(honest().receive(), PacketSocket::Got::kPacket) << "the sequence has no gap";
}

TEST_F(PacketSocketTest, DescriptorsDroppedAtTheLimitAreAViolationAndTheRestIsClosed) {
  Tracer first;
  Tracer second;
  {
    Descriptors fds;
    fds.push_back(first.take());
    fds.push_back(second.take());
    ASSERT_EQ(send_text(honest(), "two", fds), PacketSocket::Sent::kSent);
  }
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const int lowest_free = ::dup(STDERR_FILENO);
  ::close(lowest_free);
  const rlimit one_more{static_cast<rlim_t>(lowest_free) + 1, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);

  expect_violation("RLIMIT_NOFILE");

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(first.closed_everywhere());
  EXPECT_TRUE(second.closed_everywhere());
}

TEST_F(PacketSocketTest, ABadHeaderIsNamedAndWhatCameWithItIsClosed) {
  using Change = std::function<void(PacketHeader&)>;
  const std::vector<std::pair<const char*, Change>> changes = {
      {"packet.kind", [](PacketHeader& header) { header.kind = PacketKind{0}; }},
      {"packet.kind", [](PacketHeader& header) { header.kind = PacketKind{200}; }},
      {"packet.flags", [](PacketHeader& header) { header.flags = 64; }},
      {"packet.reserved", [](PacketHeader& header) { header.reserved0 = 1; }},
      {"packet.fragment_bytes", [](PacketHeader& header) { ++header.fragment_bytes; }},
      {"packet.fragment_bytes", [](PacketHeader& header) { header.fragment_bytes = UINT32_MAX; }},
      {"packet.fd_count", [](PacketHeader& header) { header.fd_count = 0; }},
      {"packet.fd_count", [](PacketHeader& header) { header.fd_count = 255; }},
      {"packet.sequence", [](PacketHeader& header) { header.sequence = 1; }},
  };
  for (const auto& [field, change] : changes) {
    Tracer tracer;
    {
      PacketHeader header{.kind = PacketKind::kMessage, .fd_count = 1, .fragment_bytes = 4, .message_bytes = 4};
      change(header);
      Descriptors fds;
      fds.push_back(tracer.take());
      raw().send_bytes(std::string(bytes_of(header)) + "ahoy", fds);
    }

    expect_violation(field);

    EXPECT_TRUE(tracer.closed_everywhere()) << field;
  }
}

}  // namespace
}  // namespace wharf::ipc::detail
