#include "wharf/ipc/detail/socket_transport.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace wharf::ipc::detail {
namespace {

constexpr std::size_t kPartsPerPacketMax = 32;
// One message's fragments hold the reactor up for about 0.3 ms at most.
constexpr std::size_t kPacketsPerTurnMax = 64;

// The parts of `message` from byte `from` on, at most `bytes_max`.
std::size_t slice(const Message& message, std::size_t from, std::size_t bytes_max,
                  std::array<iovec, kPartsPerPacketMax>& parts) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < message.part_count() && bytes_max != 0 && count < parts.size(); ++i) {
    std::span<const std::byte> part = message.untrusted_part(i).for_kernel();
    if (from >= part.size()) {
      from -= part.size();
      continue;
    }
    part = part.subspan(from, std::min(part.size() - from, bytes_max));
    from = 0;
    bytes_max -= part.size();
    parts[count++] = {const_cast<std::byte*>(part.data()), part.size()};
  }
  return count;
}

PacketKind packet_kind(shm::RecordKind kind) noexcept {
  switch (kind) {
    case shm::RecordKind::kFin: return PacketKind::kFin;
    case shm::RecordKind::kCredit: return PacketKind::kCredit;
    case shm::RecordKind::kCancel: return PacketKind::kCancel;
    default: return PacketKind::kMessage;
  }
}

}  // namespace

SocketTransport::SocketTransport(PacketSocket& socket, std::size_t packet_bytes_max,
                                 std::size_t message_bytes_max, PortCounters& counters) noexcept
    : Transport(counters),
      socket_(socket),
      packet_bytes_max_(packet_bytes_max),
      message_bytes_max_(message_bytes_max) {}

Transport::Sent SocketTransport::try_send(Outgoing& outgoing) {
  Message& message = outgoing.message;
  if (message.fds_.size() > shm::kFdCountMax) {
    return refuse(outgoing, absl::InvalidArgumentError("send: a message carries at most 16 descriptors"));
  }
  const std::size_t message_bytes = message.size_bytes();
  do {
    std::array<iovec, kPartsPerPacketMax> parts;
    const std::size_t part_count = slice(message, outgoing.sent_bytes, packet_bytes_max_, parts);
    PacketHeader header{};
    header.kind = outgoing.begun ? PacketKind::kMore : packet_kind(outgoing.kind);
    header.flags = outgoing.flags;
    header.type = message.type_;
    header.stream = outgoing.stream;
    header.deadline_ns = message.deadline_ns_;
    header.message_bytes = message_bytes;
    const std::span<const runtime::UniqueFd> fds =
        outgoing.begun ? std::span<const runtime::UniqueFd>() : std::span<const runtime::UniqueFd>(message.fds_);
    ++counters_.socket_sends;
    switch (socket_.send(header, {parts.data(), part_count}, fds)) {
      case PacketSocket::Sent::kSent: break;
      case PacketSocket::Sent::kFull: return Sent::kNoSocket;
      case PacketSocket::Sent::kFailed:
        if (socket_.status().code() != StatusCode::kUnavailable && !outgoing.begun) {
          return refuse(outgoing, socket_.status());
        }
        status_ = socket_.status();
        return Sent::kBroken;
    }
    outgoing.begun = true;
    for (std::size_t i = 0; i < part_count; ++i) outgoing.sent_bytes += parts[i].iov_len;
  } while (outgoing.sent_bytes < message_bytes);
  if (outgoing.kind == shm::RecordKind::kMessage) {
    ++counters_.messages_sent;
    ++counters_.sent_socket;
    counters_.bytes_sent += message_bytes;
  }
  return Sent::kSent;
}

Transport::Got SocketTransport::violation(const char* what) {
  status_ = absl::InvalidArgumentError(std::string("the peer broke the link's format: ") + what);
  return Got::kBroken;
}

Transport::Got SocketTransport::complete(Message& message) noexcept {
  ++counters_.messages_received;
  counters_.bytes_received += message.size_bytes();
  return Got::kMessage;
}

Transport::Got SocketTransport::take_first(Message& message) {
  const PacketHeader& header = socket_.header();
  if (partial_bytes_expected_ != 0) return violation("packet.kind: a message began inside another");
  if (header.message_bytes > message_bytes_max_) return violation("packet.message_bytes: beyond the limit");
  if (header.fragment_bytes > header.message_bytes) return violation("packet.fragment_bytes");
  if (header.fragment_bytes == 0 && header.message_bytes != 0) return violation("packet.fragment_bytes");
  message.type_ = header.type;
  message.flags_ = header.flags;
  message.stream_ = header.stream;
  message.deadline_ns_ = header.deadline_ns;
  message.fds_ = socket_.take_fds();
  const std::span<const std::byte> payload = socket_.payload();
  if (header.fragment_bytes == header.message_bytes) {
    message.head_ = SmallBytes(payload);
    return complete(message);
  }
  partial_ = std::move(message);
  partial_bytes_.assign(payload.begin(), payload.end());
  partial_bytes_expected_ = header.message_bytes;
  return Got::kEmpty;
}

Transport::Got SocketTransport::take_more(Message& message) {
  const PacketHeader& header = socket_.header();
  if (partial_bytes_expected_ == 0) return violation("packet.kind: a fragment of nothing");
  if (header.message_bytes != partial_bytes_expected_) return violation("packet.message_bytes: changed");
  if (header.fd_count != 0) return violation("packet.fd_count: on a later fragment");
  const std::span<const std::byte> payload = socket_.payload();
  if (payload.empty() || payload.size() > partial_bytes_expected_ - partial_bytes_.size()) {
    return violation("packet.fragment_bytes");
  }
  partial_bytes_.insert(partial_bytes_.end(), payload.begin(), payload.end());
  if (partial_bytes_.size() < partial_bytes_expected_) return Got::kEmpty;
  partial_bytes_expected_ = 0;
  message = std::move(partial_);
  message.head_ = SmallBytes(partial_bytes_);
  partial_bytes_ = {};
  return complete(message);
}

Transport::Got SocketTransport::take_fin() {
  if (partial_bytes_expected_ != 0) return violation("packet.kind: the end began inside another message");
  if (socket_.header().fd_count != 0) return violation("packet.fd_count: at the end");
  if (!socket_.payload().empty()) return violation("packet.fragment_bytes: at the end");
  return Got::kFin;
}

Transport::Got SocketTransport::take_note(Message& message) {
  const PacketHeader& header = socket_.header();
  if (header.fd_count != 0 || !socket_.payload().empty()) return violation("packet.kind: a note carries something");
  message.type_ = header.type;
  message.flags_ = header.flags;
  message.stream_ = header.stream;
  return header.kind == PacketKind::kCredit ? Got::kCredit : Got::kCancel;
}

Transport::Got SocketTransport::try_receive(Message& message) {
  for (std::size_t packet_count = 0; packet_count < kPacketsPerTurnMax; ++packet_count) {
    ++counters_.socket_receives;
    switch (socket_.receive()) {
      case PacketSocket::Got::kPacket: break;
      case PacketSocket::Got::kEmpty: return Got::kEmpty;
      case PacketSocket::Got::kEnd: return Got::kEnd;
      case PacketSocket::Got::kFailed: status_ = socket_.status(); return Got::kBroken;
    }
    Got got = Got::kEmpty;
    switch (socket_.header().kind) {
      case PacketKind::kMessage: got = take_first(message); break;
      case PacketKind::kMore: got = take_more(message); break;
      case PacketKind::kFin: got = take_fin(); break;
      case PacketKind::kCredit:
      case PacketKind::kCancel: got = take_note(message); break;
      default: got = violation("packet.kind: not on a link without shared memory"); break;
    }
    if (got != Got::kEmpty) return got;
  }
  return Got::kBusy;
}

}  // namespace wharf::ipc::detail
