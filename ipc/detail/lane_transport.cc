#include "wharf/ipc/detail/lane_transport.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "wharf/ipc/detail/overlap.h"

namespace wharf::ipc::detail {
namespace {

bool first_of_request(const shm::RecordHeader& header) noexcept {
  return (header.flags & (shm::kFlagRequest | shm::kFlagContinued)) == shm::kFlagRequest;
}

}  // namespace

LaneTransport::LaneTransport(shm::Ref<shm::Lane> lane, PacketSocket& socket, const Limits& limits, Trust trust,
                             PortCounters& counters) noexcept
    : Transport(counters),
      rules_(rules_of(trust)),
      lane_(std::move(lane)),
      socket_(socket),
      limits_{std::min(limits.inline_bytes_max, shm::kInlineBytesMax), limits.message_bytes_max, limits.turn_bytes_max},
      inline_bytes_max_(std::min(limits_.inline_bytes_max, limits_.message_bytes_max)) {}

Transport::Sent LaneTransport::send_fds(std::span<const int> fds) {
  ++counters_.socket_sends;
  PacketHeader header{};
  header.kind = PacketKind::kFds;
  switch (socket_.send(header, {}, fds)) {
    case PacketSocket::Sent::kSent: return Sent::kSent;
    case PacketSocket::Sent::kFull: return Sent::kNoSocket;
    case PacketSocket::Sent::kFailed: break;
  }
  status_ = socket_.status();
  return status_.code() == StatusCode::kUnavailable ? Sent::kBroken : Sent::kRefused;
}

Transport::Sent LaneTransport::reserve(std::size_t cells, std::byte*& at) {
  shm::RingWriter& writer = lane_->writer();
  at = writer.reserve(cells);
  if (at != nullptr) return Sent::kSent;
  if (writer.violation() == nullptr) return Sent::kNoSpace;
  violation(writer.violation());
  return Sent::kBroken;
}

// The frequent kinds: nothing, or one plain part that fits the record, with or without fds; or one loan of this port's arena.
Transport::Sent LaneTransport::send_at_once(Message& message, std::uint8_t flags, std::uint64_t stream,
                                            std::uint64_t& position) {
  const std::size_t fd_count = message.fds_.size();
  if (fd_count > shm::kFdCountMax || message.part_count() > 1 || !lane_->arena().retired().empty())
    return Sent::kNoTurn;
  Piece* const piece = message.pieces_.empty() ? nullptr : message.pieces_.data();
  const bool block = piece != nullptr && piece->kind() == Piece::Kind::kOwnBlock;
  std::span<const std::byte> plain;
  if (block) {
    if (fd_count != 0 || piece->lane() != lane_.get() || piece->size_bytes() > limits_.message_bytes_max ||
        lane_->unannounced() != nullptr || lane_->lent().available() == 0) {
      return Sent::kNoTurn;
    }
  } else {
    if (piece != nullptr && !piece->is_borrowed()) return Sent::kNoTurn;
    plain = piece != nullptr ? piece->bytes() : message.head_.bytes();
    if (plain.size() > inline_bytes_max_) return Sent::kNoTurn;
  }
  std::byte* at = lane_->writer().reserve(shm::record_cells(block ? 1 : 0, plain.size()));
  if (at == nullptr) return Sent::kNoTurn;
  if (fd_count != 0) {
    std::array<int, shm::kFdCountMax> fds;
    std::transform(message.fds_.begin(), message.fds_.end(), fds.begin(), [](const auto& fd) { return fd.get(); });
    const Sent sent = send_fds({fds.data(), fd_count});
    if (sent != Sent::kSent) return sent == Sent::kNoSocket ? Sent::kNoTurn : sent;
  }

  // In place: a copy of small fields by wide moves would wait for each of them.
  ::new (at) shm::RecordHeader{
      .kind = shm::RecordKind::kMessage,
      .flags = flags,
      .fd_count = static_cast<std::uint8_t>(fd_count),
      .retracted = 0,
      .block_count = static_cast<std::uint16_t>(block ? 1 : 0),
      .inline_bytes = static_cast<std::uint16_t>(plain.size()),
      .type = message.type_,
      .fds_sequence = fd_count != 0 ? last_packet_sequence() : 0,
      .stream = stream,
      .deadline_ns = message.deadline_ns_,
  };
  at += sizeof(shm::RecordHeader);
  if (block) {
    std::size_t file_index = 0;
    counters_.bytes_sent += piece->size_bytes();
    const shm::BlockDescriptor descriptor = describe(*piece, file_index);
    std::memcpy(at, &descriptor, sizeof(descriptor));
  } else if (!plain.empty()) {
    std::memcpy(at, plain.data(), plain.size());
    counters_.bytes_sent += plain.size();
    ++counters_.parts_inline;
    counters_.bytes_copied_inline += plain.size();
  }
  ++counters_.messages_sent;
  ++counters_.sent_shared_memory;
  position = lane_->writer().commit();
  return Sent::kSent;
}

Transport::Sent LaneTransport::try_send(Outgoing& outgoing) {
  Message& message = outgoing.message;
  const Plan plan = this->plan(message);
  if (plan.inline_part_count < message.part_count()) {
    if (Sent sent = settle(outgoing, plan); sent != Sent::kSent) return sent;
  }
  std::size_t file_bytes = 0;
  const BorrowedFds fds = fds_of(message, file_bytes);
  if (fds.size() > shm::kFdCountMax) {
    return refuse(outgoing,
                  absl::InvalidArgumentError("send: a message carries at most 16 descriptors, files included"));
  }
  const std::size_t head_count = message.head_count();
  const std::size_t block_count = message.part_count() - plan.inline_part_count;
  if (block_count > shm::kBlockCountMax) {
    return refuse(outgoing, absl::InvalidArgumentError("send: a message carries at most 256 blocks: lend larger ones"));
  }
  if (lane_->lent().available() < block_count) return Sent::kNoSlots;
  // What names no block does not wait for a segment, nor fail with it.
  if (Sent sent = block_count != 0 ? announce_segments() : announce_retired(); sent != Sent::kSent) {
    return sent == Sent::kRefused ? refuse(outgoing, status_) : sent;
  }
  std::byte* at = nullptr;
  if (Sent sent = reserve(shm::record_cells(block_count, plan.inline_bytes), at); sent != Sent::kSent) {
    return sent;
  }
  if (Sent sent = file_bytes != 0 ? reserve_files(file_bytes) : Sent::kSent; sent != Sent::kSent) return sent;
  if (!fds.empty()) {
    if (Sent sent = send_fds(fds); sent != Sent::kSent) {
      return sent == Sent::kRefused ? refuse(outgoing, status_) : sent;
    }
  }

  // From here on nothing fails.
  shm::RecordHeader header{};
  header.kind = outgoing.kind;
  header.flags = outgoing.flags;
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  header.block_count = static_cast<std::uint16_t>(block_count);
  header.inline_bytes = static_cast<std::uint16_t>(plan.inline_bytes);
  header.type = message.type_;
  header.fds_sequence = fds.empty() ? 0 : last_packet_sequence();
  header.stream = outgoing.stream;
  header.deadline_ns = message.deadline_ns_;
  std::memcpy(at, &header, sizeof(header));
  at += sizeof(header);
  counters_.bytes_sent += message.size_bytes();
  std::size_t fd_count = message.fds_.size();
  for (std::size_t i = plan.inline_part_count; i < plan.inline_part_count + block_count; ++i) {
    const shm::BlockDescriptor descriptor = describe(message.pieces_[i - head_count], fd_count);
    std::memcpy(at, &descriptor, sizeof(descriptor));
    at += sizeof(descriptor);
  }
  for (std::size_t i = 0; i < plan.inline_part_count; ++i) {
    const std::span<const std::byte> part = message.view(i);
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  outgoing.position = lane_->writer().commit();
  if (file_bytes != 0) {
    unread_file_bytes_ += file_bytes;
    last_file_position_ = outgoing.position;
  }
  counters_.parts_inline += plan.inline_part_count;
  counters_.bytes_copied_inline += plan.inline_bytes;
  if (outgoing.kind == shm::RecordKind::kMessage) {
    ++counters_.messages_sent;
    ++counters_.sent_shared_memory;
  }
  return Sent::kSent;
}

bool LaneTransport::retract(std::uint64_t position, std::uint64_t stream) {
  if (marked_.size() == kMarkedCountMax) return false;
  const shm::RingWriter::Retraction outcome = lane_->writer().retract(position);
  if (outcome == shm::RingWriter::Retraction::kConsumed) return false;
  // Our own record, which only we can write.
  const std::byte* at = lane_->writer().record_at(position);
  shm::RecordHeader header;
  std::memcpy(&header, at, sizeof(header));
  Marked marked{.stream = stream, .blocks = {}};
  for (std::size_t i = 0; i < header.block_count; ++i) {
    std::memcpy(&marked.blocks.emplace_back(), at + sizeof(header) + i * sizeof(shm::BlockDescriptor),
                sizeof(shm::BlockDescriptor));
  }
  if (outcome == shm::RingWriter::Retraction::kClaimed) {
    marked_.push_back(std::move(marked));
    return false;
  }
  take_back(marked.blocks);
  ++counters_.requests_retracted;
  return true;
}

void LaneTransport::settle_retraction(std::uint64_t stream, bool unseen) {
  for (Marked& marked : marked_) {
    if (marked.stream != stream) continue;
    if (unseen) take_back(marked.blocks);
    std::swap(marked, marked_.back());
    marked_.pop_back();
    return;
  }
}

void LaneTransport::take_back(std::span<const shm::BlockDescriptor> blocks) noexcept {
  for (const shm::BlockDescriptor& block : blocks) {
    if (block.segment == shm::kFileSegment) continue;
    if ((block.segment & shm::kReturnedBit) != 0) {
      lane_->release(block.token);  // the peer's, which was to go home
    } else {
      lane_->unlend(block.token);
    }
  }
}

Transport::Got LaneTransport::violation(const char* what) {
  status_ = absl::InvalidArgumentError(std::string("the peer broke the link's format: ") + what);
  return Got::kBroken;
}

std::uint32_t LaneTransport::last_packet_sequence() const noexcept {
  return static_cast<std::uint32_t>(socket_.sent_count() - 1);
}

bool LaneTransport::take_fds(const shm::RecordHeader& record, Fds& fds) {
  // The packet was sent before the record was published, so it is there.
  ++counters_.socket_receives;
  switch (socket_.receive()) {
    case PacketSocket::Got::kPacket: break;
    case PacketSocket::Got::kFailed: status_ = socket_.status(); return false;
    case PacketSocket::Got::kEmpty:
    case PacketSocket::Got::kEnd: violation("record.fd_count: its packet is missing"); return false;
  }
  if (socket_.header().kind != PacketKind::kFds || socket_.header().fd_count != record.fd_count) {
    violation("record.fd_count: its packet has others");
    return false;
  }
  if (static_cast<std::uint32_t>(socket_.header().sequence) != record.fds_sequence) {
    violation("record.fds_sequence: its packet is another");
    return false;
  }
  fds = socket_.take_fds();
  return true;
}

Transport::Got LaneTransport::take_message(const shm::RecordView& record, Message& message) {
  const shm::RecordHeader& header = record.header;
  message.type_ = header.type;
  message.flags_ = header.flags;
  message.stream_ = header.stream;
  message.deadline_ns_ = header.deadline_ns;
  if (header.fd_count != 0 && !take_fds(header, message.fds_)) return Got::kBroken;
  message.head_ = SmallBytes({record.inline_bytes, header.inline_bytes});
  if (header.block_count != 0 && !take_payload(record, message)) return Got::kBroken;
  if (rules_.refuses_overlap && header.block_count > 1 &&
      overlap(std::span(message.pieces_.begin(), message.pieces_.end()))) {
    return violation("descriptor: overlaps another of its message");
  }
  const std::size_t bytes = message.size_bytes();
  if (bytes > limits_.message_bytes_max) return violation("record: a payload beyond message_bytes_max");
  counters_.bytes_received += bytes;
  ++counters_.messages_received;
  return Got::kMessage;
}

Transport::Got LaneTransport::take_fin(const shm::RecordHeader& header) {
  if (header.fd_count != 0 || header.block_count != 0 || header.inline_bytes != 0) {
    return violation("record.kind: the end carries something");
  }
  return Got::kFin;
}

// Its blocks belong to its sender again: they are neither looked at nor returned.
Transport::Got LaneTransport::take_retracted(const shm::RecordView& record, Message& message) {
  Fds fds;
  if (record.header.fd_count != 0 && !take_fds(record.header, fds)) return Got::kBroken;
  message.stream_ = record.header.stream;
  return Got::kRetracted;
}

Transport::Got LaneTransport::take_note(const shm::RecordHeader& header, Message& message) {
  if (header.fd_count != 0 || header.block_count != 0 || header.inline_bytes != 0) {
    return violation("record.kind: a note carries something");
  }
  message.type_ = header.type;
  message.flags_ = header.flags;
  message.stream_ = header.stream;
  return header.kind == shm::RecordKind::kCredit ? Got::kCredit : Got::kCancel;
}

Transport::Got LaneTransport::try_receive(Message& message) {
  shm::RecordView record;
  switch (lane_->reader().peek(record)) {
    case shm::RingReader::Next::kEmpty: return Got::kEmpty;
    case shm::RingReader::Next::kViolation: return violation(lane_->reader().violation());
    case shm::RingReader::Next::kRecord: break;
  }
  Got got = Got::kEmpty;
  switch (record.header.kind) {
    case shm::RecordKind::kMessage:
      got = first_of_request(record.header) && lane_->reader().claim_retracted() ? take_retracted(record, message)
                                                                                 : take_message(record, message);
      break;
    case shm::RecordKind::kCredit:
    case shm::RecordKind::kCancel: got = take_note(record.header, message); break;
    case shm::RecordKind::kFin: got = take_fin(record.header); break;
    case shm::RecordKind::kSegment: got = adopt_segment(record) ? Got::kMemory : Got::kBroken; break;
    case shm::RecordKind::kRetire: got = retire_segment(record.header) ? Got::kMemory : Got::kBroken; break;
    case shm::RecordKind::kPad: break;  // never shown
  }
  lane_->reader().pop();
  return got;
}

}  // namespace wharf::ipc::detail
