#include "wharf/ipc/detail/socket_transport.h"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <string>
#include <utility>

namespace wharf::ipc::detail {
namespace {

constexpr std::size_t kPartsPerPacketMax = 64;
// One message's fragments hold the reactor up for about 0.3 ms at most.
constexpr std::size_t kPacketsPerTurnMax = 64;

// The next parts of `outgoing`, at most `bytes_max`.
std::size_t slice(const Outgoing& outgoing, std::size_t bytes_max, std::array<iovec, kPartsPerPacketMax>& parts) {
  const Message& message = outgoing.message;
  std::size_t count = 0;
  std::size_t offset = outgoing.sent_part_bytes;
  for (std::size_t i = outgoing.sent_part; i < message.part_count() && bytes_max != 0 && count < parts.size(); ++i) {
    std::span<const std::byte> part = message.untrusted_part(i).for_kernel().subspan(offset);
    offset = 0;
    part = part.first(std::min(part.size(), bytes_max));
    if (part.empty()) continue;
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

void advance(Outgoing& outgoing, std::size_t bytes) {
  outgoing.sent_bytes += bytes;
  outgoing.sent_part_bytes += bytes;
  while (outgoing.sent_part < outgoing.message.part_count() &&
         outgoing.sent_part_bytes >= outgoing.message.part_bytes(outgoing.sent_part)) {
    outgoing.sent_part_bytes -= outgoing.message.part_bytes(outgoing.sent_part++);
  }
}

// What the unfinished messages of one side may have together: one of the largest, and others beside it.
constexpr std::size_t unfinished_bytes_max(std::size_t message_bytes_max) { return 2 * message_bytes_max; }

}  // namespace

SocketTransport::SocketTransport(PacketSocket& socket, const Limits& limits, PortCounters& counters) noexcept
    : Transport(counters),
      socket_(socket),
      limits_(limits),
      assemblies_(unfinished_bytes_max(limits.message_bytes_max)) {}

bool SocketTransport::reserve(Outgoing& outgoing) noexcept {
  const std::uint32_t free = ~assemblies_taken_ & ((1U << kAssemblyCountMax) - 1);
  if (free == 0) return false;
  if (takes_turns(outgoing)) {
    // Room stays for one that is not large: those wait for none that is.
    const std::size_t bytes_max = unfinished_bytes_max(limits_.message_bytes_max) - limits_.turn_bytes_max;
    const std::size_t bytes = outgoing.message.size_bytes();
    if (bytes > bytes_max - large_bytes_) return false;
    large_bytes_ += bytes;
  }
  const int bit = std::countr_zero(free);
  assemblies_taken_ |= 1U << bit;
  outgoing.assembly = static_cast<std::uint32_t>(bit) + 1;
  return true;
}

void SocketTransport::release(Outgoing& outgoing) noexcept {
  if (outgoing.assembly == 0) return;
  assemblies_taken_ &= ~(1U << (outgoing.assembly - 1));
  if (takes_turns(outgoing)) large_bytes_ -= outgoing.message.size_bytes();
  outgoing.assembly = 0;
}

Transport::Sent SocketTransport::try_send(Outgoing& outgoing) {
  Message& message = outgoing.message;
  if (message.fds_.size() > shm::kFdCountMax) {
    return refuse(outgoing, absl::InvalidArgumentError("send: a message carries at most 16 descriptors"));
  }
  if (!outgoing.begun && !message.readable()) {
    return refuse(outgoing,
                  absl::ResourceExhaustedError("send: a file in the payload cannot be mapped: too many maps?"));
  }
  const std::size_t message_bytes = message.size_bytes();
  const bool large = takes_turns(outgoing);
  // A share that met a full socket is used up first: shares, and not tries, are what large messages have equally.
  if (outgoing.sent_bytes >= outgoing.share_end_bytes) {
    outgoing.share_end_bytes = outgoing.sent_bytes + limits_.turn_bytes_max;
  }
  do {
    if (large && outgoing.sent_bytes >= outgoing.share_end_bytes) {
      ++counters_.quanta;
      return Sent::kProgress;
    }
    std::array<iovec, kPartsPerPacketMax> parts;
    const std::size_t part_count = slice(outgoing, limits_.packet_bytes_max, parts);
    std::size_t fragment_bytes = 0;
    for (std::size_t i = 0; i < part_count; ++i) fragment_bytes += parts[i].iov_len;
    if (!outgoing.begun && fragment_bytes != message_bytes && !reserve(outgoing)) return Sent::kNoTurn;
    PacketHeader header{};
    header.kind = outgoing.begun ? PacketKind::kMore : packet_kind(outgoing.kind);
    header.flags = outgoing.flags;
    header.type = message.type_;
    header.assembly = outgoing.assembly;
    header.stream = outgoing.stream;
    header.deadline_ns = message.deadline_ns_;
    header.message_bytes = message_bytes;
    absl::InlinedVector<int, 2> fds;
    if (!outgoing.begun) {
      for (const runtime::UniqueFd& fd : message.fds_) fds.push_back(fd.get());
    }
    ++counters_.socket_sends;
    const PacketSocket::Sent result = socket_.send(header, {parts.data(), part_count}, fds);
    if (result != PacketSocket::Sent::kSent && !outgoing.begun) release(outgoing);
    switch (result) {
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
    advance(outgoing, fragment_bytes);
    if (outgoing.assembly != 0) ++counters_.fragments_sent;
  } while (outgoing.sent_bytes < message_bytes);
  release(outgoing);
  if (large) ++counters_.quanta;
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
  if (header.message_bytes > limits_.message_bytes_max) return violation("packet.message_bytes: beyond the limit");
  if (header.fragment_bytes > header.message_bytes) return violation("packet.fragment_bytes");
  if (header.fragment_bytes == 0 && header.message_bytes != 0) return violation("packet.fragment_bytes");
  message.type_ = header.type;
  message.flags_ = header.flags;
  message.stream_ = header.stream;
  message.deadline_ns_ = header.deadline_ns;
  message.fds_ = socket_.take_fds();
  const std::span<const std::byte> payload = socket_.payload();
  if (header.fragment_bytes != header.message_bytes) {
    const char* what = nullptr;
    try {
      what = assemblies_.begin(header, payload, std::move(message));
    } catch (const std::bad_alloc&) {  // the peer has chosen how much it is
      status_ = absl::ResourceExhaustedError("receive: no memory for a message of " +
                                             std::to_string(header.message_bytes) + " bytes: lower message_bytes_max");
      return Got::kBroken;
    }
    return what == nullptr ? Got::kEmpty : violation(what);
  }
  if (header.assembly != 0) return violation("packet.assembly: of a whole message");
  message.head_ = SmallBytes(payload);
  return complete(message);
}

Transport::Got SocketTransport::take_more(Message& message) {
  if (socket_.header().fd_count != 0) return violation("packet.fd_count: on a later fragment");
  bool done = false;
  SmallBytes payload;
  const char* what = assemblies_.add(socket_.header(), socket_.payload(), message, payload, done);
  if (what != nullptr) return violation(what);
  if (!done) return Got::kEmpty;
  message.head_ = std::move(payload);
  return complete(message);
}

bool SocketTransport::check_progress(bool all_read) noexcept {
  if (!assemblies_.tick(all_read, kStallTicks)) return true;
  status_ =
      absl::DeadlineExceededError("the peer has begun a message and sent nothing more of it for assembly_timeout_ms");
  return false;
}

Transport::Got SocketTransport::take_fin() {
  if (!assemblies_.empty()) return violation("packet.kind: the end came before that of a message");
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
