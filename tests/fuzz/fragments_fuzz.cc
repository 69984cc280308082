// Messages between two SocketTransports, with somebody in the middle who passes the packets on. As long as he is honest,
// every message arrives whole, in order and once; once he drops, repeats, swaps or changes a packet, what arrives is
// still bounded, and no descriptor is lost.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/detail/socket_transport.h"
#include "wharf/tests/fuzz/fd_census.h"
#include "wharf/tests/fuzz/input.h"
#include "wharf/tests/fuzz/raw_packet.h"

namespace wharf::test {
namespace {

using ipc::detail::Outgoing;
using ipc::detail::PacketSocket;
using ipc::detail::SocketTransport;
using ipc::detail::Transport;

constexpr std::size_t kPacketBytesMax = 1024;
constexpr std::size_t kMessageBytesMax = 8 * 1024;

struct Packet {
  std::vector<std::byte> bytes;
  std::vector<runtime::UniqueFd> fds;
};

struct Expected {
  std::uint32_t type;
  std::string payload;
  std::size_t fd_count;
};

constexpr ipc::detail::SocketTransport::Limits kLimits{kPacketBytesMax, kMessageBytesMax, 4 * kPacketBytesMax};

class Post {
 public:
  explicit Post(const Wares& wares) : Post(wares, packet_sockets(), packet_sockets()) {}

  void send(Input& input) {
    if (waiting_.has_value()) return try_send();
    Expected expected{input.take<std::uint32_t>(), std::string(input.below(kMessageBytesMax + 1), 'a'),
                      input.byte() > 200 ? input.below(shm::kFdCountMax + 1) : 0};
    for (std::size_t i = 0; i < expected.payload.size(); i += 64) {
      expected.payload[i] = static_cast<char>('a' + (i / 64 + sent_.size()) % 26);
    }
    sent_.push_back(expected);
    payload_ = expected.payload;
    waiting_.emplace();
    // In two parts, of any sizes.
    const std::size_t cut = payload_.empty() ? 0 : input.below(payload_.size() + 1);
    waiting_->message = ipc::Message(expected.type, std::string_view(payload_).substr(0, cut));
    waiting_->message.append(std::string_view(payload_).substr(cut));
    for (std::size_t i = 0; i < expected.fd_count; ++i) {
      waiting_->message.attach(runtime::UniqueFd(::fcntl(wares_.pick(input), F_DUPFD_CLOEXEC, 0)));
    }
    try_send();
  }
  void try_send() {
    if (!waiting_.has_value()) return;
    const Transport::Sent sent = sender_.try_send(*waiting_);
    if (sent == Transport::Sent::kNoSocket || sent == Transport::Sent::kProgress) return;
    if (sent != Transport::Sent::kSent) {
      WHARF_CHECK(sent == Transport::Sent::kRefused, "the way to the middle is open");
      sent_.pop_back();
    }
    waiting_.reset();
  }

  // Takes the next packet from the sender.
  bool fetch() {
    Packet packet;
    packet.bytes.resize(2 * kPacketBytesMax);
    iovec part{packet.bytes.data(), packet.bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(32 * sizeof(int))> control;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t bytes = ::recvmsg(inward_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (bytes <= 0) return false;
    packet.bytes.resize(static_cast<std::size_t>(bytes));
    if (const cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr) {
      std::vector<int> fds((item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      std::memcpy(fds.data(), CMSG_DATA(item), fds.size() * sizeof(int));
      for (const int fd : fds) packet.fds.emplace_back(fd);
    }
    held_.push_back(std::move(packet));
    return true;
  }
  // Passes the oldest packet on, as it is.
  void pass() {
    if (held_.empty() || !give(held_.front())) return;
    held_.pop_front();
  }
  void mangle(Input& input) {
    if (held_.empty()) return;
    Packet& first = held_.front();
    honest_ = false;
    switch (input.byte() % 5) {
      case 0: held_.pop_front(); break;
      case 1: give(first); break;  // and again later
      case 2: std::swap(first, held_.back()); break;
      case 3: first.fds.clear(); break;
      default: first.bytes[input.below(first.bytes.size())] = static_cast<std::byte>(input.byte());
    }
  }

  // False: the receiver has had enough.
  bool receive() {
    while (true) {
      ipc::Message message;
      switch (receiver_.try_receive(message)) {
        case Transport::Got::kEmpty: return true;
        case Transport::Got::kBusy: continue;
        case Transport::Got::kMessage: check(message); continue;
        default: WHARF_CHECK(!honest_, "an honest packet was refused"); return false;
      }
    }
  }
  // The middle becomes a wire: everything arrives.
  void finish() {
    while (honest_ && (waiting_.has_value() || !sent_.empty())) {
      try_send();
      while (fetch()) continue;
      while (!held_.empty() && give(held_.front())) held_.pop_front();
      receive();
    }
  }

 private:
  using Pair = std::pair<runtime::UniqueFd, runtime::UniqueFd>;
  Post(const Wares& wares, Pair in, Pair out)
      : wares_(wares),
        inward_(std::move(in.second)),
        outward_(std::move(out.first)),
        from_(std::move(in.first), kPacketBytesMax),
        to_(std::move(out.second), kPacketBytesMax),
        sender_(from_, kLimits, counters_),
        receiver_(to_, kLimits, counters_) {}

  bool give(const Packet& packet) {
    std::vector<int> fds;
    for (const runtime::UniqueFd& fd : packet.fds) fds.push_back(fd.get());
    return send_raw(outward_.get(), packet.bytes, fds);
  }
  void check(const ipc::Message& message) {
    WHARF_CHECK_LE(message.size_bytes(), kMessageBytesMax);
    if (!honest_) return;
    WHARF_CHECK(!sent_.empty(), "a message that nobody sent");
    WHARF_CHECK_EQ(message.type(), sent_.front().type);
    WHARF_CHECK_EQ(message.fd_count(), sent_.front().fd_count);
    WHARF_CHECK(message.to_string() == sent_.front().payload, "the payload");
    sent_.pop_front();
  }

  const Wares& wares_;
  runtime::UniqueFd inward_;
  runtime::UniqueFd outward_;
  PacketSocket from_;
  PacketSocket to_;
  ipc::PortCounters counters_;
  SocketTransport sender_;
  SocketTransport receiver_;
  std::string payload_;              // of the message that is being sent, which borrows it
  std::optional<Outgoing> waiting_;  // that message
  std::deque<Expected> sent_;        // and not received yet
  std::deque<Packet> held_;
  bool honest_ = true;
};

}  // namespace
}  // namespace wharf::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const wharf::test::Wares wares;
  const wharf::test::FdCensus census;
  wharf::test::Input input(data, size);
  wharf::test::Post post(wares);
  while (!input.empty()) {
    switch (input.byte() % 8) {
      case 0:
      case 1: post.send(input); break;
      case 2: post.try_send(); break;
      case 3: post.fetch(); break;
      case 4:
      case 5: post.pass(); break;
      case 6:
        if (!post.receive()) return 0;
        break;
      default:
        if (input.byte() > 224) post.mangle(input);
    }
  }
  post.finish();
  return 0;
}
