// The worked examples of docs/formats.md are what the code writes, byte for byte.
#include <sys/socket.h>

#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/ipc/detail/handshake.h"
#include "wharf/ipc/detail/lane_transport.h"
#include "wharf/tests/ipc/lane_pair.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

using ipc::detail::LaneTransport;
using ipc::detail::Outgoing;
using ipc::detail::PacketSocket;
using ipc::detail::Transport;

// The words of the page's example: two digits for a byte, ".." for one that may be any.
std::vector<std::string> example(const std::string& name) {
  const char* root = std::getenv("WHARF_SOURCE");
  EXPECT_NE(root, nullptr) << "run it with meson test, or with WHARF_SOURCE=<the source tree>";
  std::ifstream page(std::string(root == nullptr ? "." : root) + "/docs/formats.md");
  std::vector<std::string> words;
  std::string line;
  while (std::getline(page, line) && !line.starts_with("Example `" + name + "`")) continue;
  while (std::getline(page, line) && (line.empty() || line.starts_with("    "))) {
    std::istringstream rest(line.substr(std::min(line.size(), line.find(':') + 1)));
    std::string word;
    while (rest >> word && word.size() == 2 && (word == ".." || std::isxdigit(word[0]) != 0)) words.push_back(word);
  }
  return words;
}

void expect_example(const std::string& name, std::span<const std::byte> written) {
  const std::vector<std::string> words = example(name);
  ASSERT_FALSE(words.empty()) << "docs/formats.md has no example `" << name << "`";
  ASSERT_LE(words.size(), written.size()) << name;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "..") continue;
    EXPECT_EQ(std::stoi(words[i], nullptr, 16), std::to_integer<int>(written[i])) << name << ": byte " << i;
  }
}

// What one side of a link writes, seen in its memory and at the other end of its socket.
class FormatExampleTest : public PortTest {
 protected:
  FormatExampleTest() : ends_(*ipc::Port::end_pair()), socket_(ends_.first.take_socket(), 16 * 1024) {}

  // Sends `outgoing`, and gives the memory where its record begins, `cells_before` cells behind the last one's end.
  std::span<const std::byte> send(Outgoing outgoing, std::size_t cells_before = 0) {
    const std::uint64_t at = next_ + cells_before;
    EXPECT_EQ(transport_.try_send(outgoing), Transport::Sent::kSent);
    next_ = outgoing.position + 1;
    return {lanes_.ours->writer().record_at(at), 2 * shm::kCellBytes};
  }
  std::vector<std::byte> receive_packet() { return receive_packet(ends_.second.fd()); }
  static std::vector<std::byte> receive_packet(int fd) {
    std::vector<std::byte> bytes(4096);
    const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
    EXPECT_GT(count, 0);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }

  LanePair lanes_;
  std::pair<ipc::PortEnd, ipc::PortEnd> ends_;
  PacketSocket socket_;
  ipc::PortCounters counters_;
  LaneTransport transport_{lanes_.ours, socket_, {1024, 1 << 20, 1 << 20}, ipc::Trust::kTrusted, counters_};
  std::uint64_t next_ = 0;
};

TEST_F(FormatExampleTest, ARequestsRecord) {
  Outgoing request{.message = ipc::Message(7, "ahoy")};
  request.flags = shm::kFlagRequest;
  request.stream = (std::uint64_t{1} << 32) + 1;

  expect_example("request", send(std::move(request)));
}

TEST_F(FormatExampleTest, TheRecordsOfABlockAndOfItsSegment) {
  Outgoing lent{.message = ipc::Message(8, lanes_.loan("a crate of oranges"))};

  const std::span<const std::byte> records = send(std::move(lent));

  expect_example("segment", records);
  expect_example("block", records.subspan(shm::kCellBytes));
  expect_example("fds packet", receive_packet());
}

TEST_F(FormatExampleTest, AMessageOnTheSocket) {
  ipc::detail::PacketHeader header{};
  header.kind = ipc::detail::PacketKind::kMessage;
  header.type = 7;
  header.message_bytes = 4;
  std::string payload = "ahoy";
  const iovec part{payload.data(), payload.size()};

  ASSERT_EQ(socket_.send(header, {&part, 1}, {}), PacketSocket::Sent::kSent);

  expect_example("packet", receive_packet());
}

coro::Task<void> say_hello(ipc::PortEnd end) {
  auto shaken = co_await ipc::detail::shake_hands(std::move(end), ipc::PortOptions{}, nullptr);
  EXPECT_FALSE(shaken.ok()) << "nobody answers";
}

coro::Task<void> hear_hello(std::vector<std::byte>& hello) {
  auto ends = ipc::Port::end_pair();
  CO_ASSERT_OK(ends.status());
  coro::Scope scope;
  scope.spawn(say_hello(std::move(ends->first)));
  co_await next_turn();
  hello.resize(4096);
  const ssize_t count = ::recv(ends->second.fd(), hello.data(), hello.size(), 0);
  EXPECT_GT(count, 0);
  scope.cancel();
  co_await scope.join();
}

TEST_F(FormatExampleTest, AHello) {
  std::vector<std::byte> hello;

  run(hear_hello(hello));

  expect_example("hello", hello);
}

}  // namespace
}  // namespace wharf::test
