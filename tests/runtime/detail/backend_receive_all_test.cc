// Receives with MSG_WAITALL, on each backend.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/detail/receive_all.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;
using test::Results;
using test::SocketPair;

class BackendReceiveAllTest : public test::EachBackend {
 protected:
  void set_up() override { make(); }
  // Fills `parts`, by recvmsg.
  void describe(std::vector<iovec> parts) {
    parts_ = std::move(parts);
    header_.msg_iov = parts_.data();
    header_.msg_iovlen = parts_.size();
    receive_.opcode = Opcode::kRecvmsg;
    receive_.memory = &header_;
    receive_.memory_bytes = sizeof(header_);
    start();
  }
  // By recv.
  void describe(std::string& text) {
    receive_.opcode = Opcode::kRecv;
    receive_.memory = text.data();
    receive_.memory_bytes = static_cast<std::uint32_t>(text.size());
    start();
  }
  void start() {
    receive_.fd = pair_.left.get();
    receive_.flags = MSG_WAITALL;
    backend_->submit(receive_);
    backend_->poll();
  }
  // Some more bytes, and the backend takes them.
  void arrive(std::string_view text) {
    EXPECT_EQ(::send(pair_.right.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    while (waiting_bytes() != 0) backend_->poll();
  }
  std::size_t waiting_bytes() {
    const ssize_t bytes = ::recv(pair_.left.get(), peeked_, sizeof(peeked_), MSG_PEEK | MSG_DONTWAIT);
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
  }

  SocketPair pair_;
  Recorder receive_;
  msghdr header_{};
  std::vector<iovec> parts_;
  char peeked_[64];
};
WHARF_EACH_BACKEND(BackendReceiveAllTest);

TEST_P(BackendReceiveAllTest, ItGoesOnUntilItHasAll) {
  std::string text(12, '-');
  describe(text);
  for (const std::string_view piece : {"q", "uay", " and", " pi"}) {
    arrive(piece);
    EXPECT_TRUE(receive_.in_flight());
  }
  EXPECT_EQ(::write(pair_.right.get(), "er", 2), 2);
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{12});
  EXPECT_EQ(text, "quay and pie");
  EXPECT_EQ(waiting_bytes(), 1U);  // what is not asked for stays
}

TEST_P(BackendReceiveAllTest, PartsAreFilledInTheirOrder) {
  std::string first(3, '-');
  std::string none;
  std::string second(6, '-');
  describe({{first.data(), 3}, {none.data(), 0}, {second.data(), 6}});
  for (const std::string_view piece : {"qu", "ay an", "d"}) {
    arrive(piece);
    EXPECT_TRUE(receive_.in_flight());
  }
  arrive(" ");
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{9});
  EXPECT_EQ(first + second, "quay and ");
}

TEST_P(BackendReceiveAllTest, AnyNumberOfParts) {
  std::string text(100, '-');
  std::vector<iovec> parts;
  for (char& one : text) parts.push_back({&one, 1});
  std::string sent;
  for (char letter = ' '; sent.size() < text.size(); ++letter) sent.push_back(letter);
  describe(parts);
  arrive(std::string_view(sent).substr(0, 41));
  EXPECT_TRUE(receive_.in_flight());
  arrive(std::string_view(sent).substr(41));
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{100});
  EXPECT_EQ(text, sent);
}

TEST_P(BackendReceiveAllTest, ItIsShortAtTheEndOfTheStream) {
  std::string text(12, '-');
  describe(text);
  arrive("quay");
  EXPECT_TRUE(receive_.in_flight());
  pair_.right.reset();
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{4});
}

TEST_P(BackendReceiveAllTest, ACancelInTheMiddleGivesWhatHasCome) {
  std::string text(12, '-');
  describe(text);
  arrive("quay");
  backend_->cancel(receive_);
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{4});
  EXPECT_EQ(text.substr(0, 5), "quay-");
}

TEST_P(BackendReceiveAllTest, ACancelBeforeAnythingCameIsACancel) {
  std::string text(12, '-');
  describe(text);
  backend_->cancel(receive_);
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{-ECANCELED});
}

TEST_P(BackendReceiveAllTest, ADatagramIsWholeByItself) {
  pair_ = SocketPair(SOCK_DGRAM);
  std::string text(12, '-');
  describe(text);
  arrive("quay");
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{4});
}

TEST_P(BackendReceiveAllTest, ALongOneThatComesInManyPiecesIsWhole) {
  std::string sent;
  while (sent.size() < 1'000'000) sent.append(std::to_string(sent.size())).push_back(' ');
  std::string text(sent.size(), '-');
  describe(text);
  for (std::size_t at = 0; at < sent.size();) {
    const std::size_t bytes = std::min<std::size_t>(sent.size() - at, 50'000);
    const ssize_t written = ::send(pair_.right.get(), sent.data() + at, bytes, MSG_DONTWAIT);
    if (written > 0) at += static_cast<std::size_t>(written);
    backend_->poll();
  }
  wait_for(receive_);

  EXPECT_EQ(receive_.results, Results{static_cast<std::int32_t>(sent.size())});
  EXPECT_TRUE(text == sent);
}

// Nothing is touched but what is received: the rest of the memory is an address.
TEST(ReceiveAllTest, NoReceiveTakesMoreThanItsResultCanSay) {
  constexpr std::uint32_t kMost = 0x7fff'f000;  // of one call, in the kernel
  constexpr std::size_t kBytes = std::size_t{3} << 30;
  void* const memory =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  SocketPair pair;
  Recorder receive(Opcode::kRecv, pair.left.get(), memory, kBytes);
  receive.flags = MSG_WAITALL;
  EXPECT_EQ(::send(pair.right.get(), "quay", 4, 0), 4);
  std::uint32_t moved_bytes = kMost - 3;

  EXPECT_EQ(receive_more(receive, receive.fd, moved_bytes), static_cast<std::int32_t>(kMost));

  EXPECT_EQ(::recv(pair.left.get(), memory, 4, MSG_DONTWAIT), 1);
  ::munmap(memory, kBytes);
}

}  // namespace
}  // namespace wharf::runtime::detail
