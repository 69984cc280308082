#include "wharf/ipc/detail/lane_transport.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "wharf/ipc/detail/overlap.h"

namespace wharf::ipc::detail {
namespace {

// Foreign payload is copied into blocks of at most this size: small enough to be found in a used arena.
constexpr std::size_t kCopyBlockBytes = 256 * 1024;

bool first_of_request(const shm::RecordHeader& header) noexcept {
  return (header.flags & (shm::kFlagRequest | shm::kFlagContinued)) == shm::kFlagRequest;
}

}  // namespace

LaneTransport::LaneTransport(shm::Ref<shm::Lane> lane, PacketSocket& socket,
                             std::size_t inline_bytes_max, PortCounters& counters, Trust trust) noexcept
    : Transport(counters),
      rules_(rules_of(trust)),
      lane_(std::move(lane)),
      socket_(socket),
      inline_bytes_max_(std::min(inline_bytes_max, shm::kInlineBytesMax)) {}

// A block of ours, or one of the peer's that goes home.
bool LaneTransport::travels(const Piece& piece) const noexcept { return piece.lane() == lane_.get(); }

LaneTransport::Plan LaneTransport::plan(const Message& message) const noexcept {
  Plan plan;
  const std::size_t head_count = message.head_.bytes().empty() ? 0 : 1;
  for (std::size_t i = 0; i < message.part_count(); ++i) {
    const std::size_t bytes = message.view(i).size();
    const bool plain = i < head_count || !travels(message.pieces_[i - head_count]);
    if (!plain || plan.inline_bytes + bytes > inline_bytes_max_) break;
    plan.inline_bytes += bytes;
    ++plan.inline_part_count;
  }
  return plan;
}

Transport::Sent LaneTransport::copy_to_arena(Outgoing& outgoing, std::size_t part_index,
                                             std::size_t part_count) {
  Message& message = outgoing.message;
  std::size_t bytes_left = 0;
  for (std::size_t i = 0; i < part_count; ++i) bytes_left += message.view(part_index + i).size();
  const auto never_fits = [&] {
    return refuse(outgoing, absl::ResourceExhaustedError(
                                "send: the payload does not fit the arena: raise arena_bytes_max"));
  };
  if (bytes_left > lane_->arena().bytes_max()) return never_fits();
  if (outgoing.memory_is_others) return Sent::kNoMemory;
  absl::InlinedVector<shm::OwnBlock, 4> blocks;
  for (std::size_t at = 0; at < bytes_left; at += kCopyBlockBytes) {
    const shm::Allocation got =
        lane_->arena().allocate(std::min(bytes_left - at, kCopyBlockBytes), blocks.emplace_back());
    if (got == shm::Allocation::kOk) continue;
    // All or nothing. Nobody else gains from what is given back here, so nobody is told.
    blocks.pop_back();
    for (const shm::OwnBlock& block : blocks) lane_->arena().free(block.id);
    if (got == shm::Allocation::kFull) return Sent::kNoMemory;
    return got == shm::Allocation::kRefused ? refuse(outgoing, lane_->arena().growth_error()) : never_fits();
  }
  absl::InlinedVector<Piece, 4> copies;
  std::size_t part = part_index;
  std::size_t part_offset = 0;
  for (const shm::OwnBlock& block : blocks) {
    const std::size_t block_bytes = std::min(bytes_left, kCopyBlockBytes);
    copies.emplace_back(lane_, block, block_bytes);
    for (std::size_t at = 0; at < block_bytes;) {
      const std::span<const std::byte> source = message.view(part).subspan(part_offset);
      const std::size_t count = std::min(source.size(), block_bytes - at);
      if (count != 0) std::memcpy(block.data + at, source.data(), count);
      at += count;
      part_offset += count;
      if (part_offset == message.view(part).size()) {
        ++part;
        part_offset = 0;
      }
    }
    bytes_left -= block_bytes;
    counters_.bytes_copied_to_arena += block_bytes;
  }
  // The copies take the place of the originals.
  absl::InlinedVector<Piece, 1> pieces;
  for (std::size_t i = 0, head_count = message.part_count() - message.pieces_.size(); i < message.part_count();) {
    if (i == part_index) {
      for (Piece& copy : copies) pieces.push_back(std::move(copy));
      i += part_count;
    } else {
      if (i >= head_count) pieces.push_back(std::move(message.pieces_[i - head_count]));
      ++i;
    }
  }
  if (part_index == 0 && part_count != 0) message.head_ = SmallBytes();
  message.pieces_ = std::move(pieces);
  return Sent::kSent;
}

Transport::Sent LaneTransport::settle_blocks(Outgoing& outgoing, const Plan& plan) {
  Message& message = outgoing.message;
  for (std::size_t i = plan.inline_part_count; i < message.part_count(); ++i) {
    const std::size_t head_count = message.part_count() - message.pieces_.size();
    const auto plain = [&](std::size_t part) {
      return part < head_count || !travels(message.pieces_[part - head_count]);
    };
    if (!plain(i)) continue;
    std::size_t count = 1;
    while (i + count < message.part_count() && plain(i + count)) ++count;
    if (Sent sent = copy_to_arena(outgoing, i, count); sent != Sent::kSent) return sent;
  }
  return Sent::kSent;
}

Transport::Sent LaneTransport::send_fds(std::span<const runtime::UniqueFd> fds) {
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

shm::BlockDescriptor LaneTransport::describe(Piece& piece) noexcept {
  shm::BlockDescriptor descriptor = piece.descriptor();
  if (piece.kind() == Piece::Kind::kOwnBlock) {
    descriptor.token = lane_->lend(piece.block_id());
    ++counters_.blocks_lent;
  } else {
    descriptor.segment |= shm::kReturnedBit;
    ++counters_.blocks_returned_as_payload;
  }
  piece.forget();
  return descriptor;
}

Transport::Sent LaneTransport::try_send(Outgoing& outgoing) {
  Message& message = outgoing.message;
  if (message.fds_.size() > shm::kFdCountMax) {
    return refuse(outgoing, absl::InvalidArgumentError("send: a message carries at most 16 descriptors"));
  }
  const Plan plan = this->plan(message);
  if (plan.inline_part_count < message.part_count()) {
    if (Sent sent = settle_blocks(outgoing, plan); sent != Sent::kSent) return sent;
  }
  const std::size_t head_count = message.head_.bytes().empty() ? 0 : 1;
  const std::size_t block_count = message.part_count() - plan.inline_part_count;
  if (block_count > shm::kBlockCountMax) {
    return refuse(outgoing, absl::InvalidArgumentError("send: a message carries at most 256 blocks: lend larger ones"));
  }
  if (lane_->lent().available() < block_count) return Sent::kNoSlots;
  if (Sent sent = announce_segments(); sent != Sent::kSent) {
    return sent == Sent::kRefused ? refuse(outgoing, status_) : sent;
  }
  std::byte* at = nullptr;
  if (Sent sent = reserve(shm::record_cells(block_count, plan.inline_bytes), at); sent != Sent::kSent) {
    return sent;
  }
  if (!message.fds_.empty()) {
    if (Sent sent = send_fds(message.fds_); sent != Sent::kSent) {
      return sent == Sent::kRefused ? refuse(outgoing, status_) : sent;
    }
  }
  const std::uint32_t fds_sequence = message.fds_.empty() ? 0 : last_packet_sequence();

  // From here on nothing fails.
  shm::RecordHeader header{};
  header.kind = outgoing.kind;
  header.flags = outgoing.flags;
  header.fd_count = static_cast<std::uint8_t>(message.fds_.size());
  header.block_count = static_cast<std::uint16_t>(block_count);
  header.inline_bytes = static_cast<std::uint16_t>(plan.inline_bytes);
  header.type = message.type_;
  header.fds_sequence = fds_sequence;
  header.stream = outgoing.stream;
  header.deadline_ns = message.deadline_ns_;
  std::memcpy(at, &header, sizeof(header));
  at += sizeof(header);
  for (std::size_t i = plan.inline_part_count; i < plan.inline_part_count + block_count; ++i) {
    const shm::BlockDescriptor descriptor = describe(message.pieces_[i - head_count]);
    counters_.bytes_sent += descriptor.bytes;
    std::memcpy(at, &descriptor, sizeof(descriptor));
    at += sizeof(descriptor);
  }
  for (std::size_t i = 0; i < plan.inline_part_count; ++i) {
    const std::span<const std::byte> part = message.view(i);
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  outgoing.position = lane_->writer().commit();
  counters_.bytes_sent += plan.inline_bytes;
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

bool LaneTransport::take_block(const std::byte* source, Message& message) {
  shm::BlockDescriptor descriptor;
  std::memcpy(&descriptor, source, sizeof(descriptor));
  if ((descriptor.segment & shm::kReturnedBit) != 0) {
    const std::optional<shm::OwnBlock> block = lane_->take_returned(descriptor);
    if (!block.has_value()) return violation("descriptor: returned, but not lent"), false;
    message.pieces_.emplace_back(lane_, *block, descriptor.bytes);
    return true;
  }
  std::span<const std::byte> bytes;
  if (!lane_->peer_arena().view(descriptor, bytes)) return violation("descriptor: outside the arena"), false;
  message.pieces_.emplace_back(lane_, descriptor, bytes, rules_.guards_views);
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
  counters_.bytes_received += header.inline_bytes;
  for (std::size_t i = 0; i < header.block_count; ++i) {
    if (!take_block(record.descriptors + i * sizeof(shm::BlockDescriptor), message)) return Got::kBroken;
    counters_.bytes_received += message.pieces_.back().bytes().size();
  }
  if (rules_.refuses_overlap && header.block_count > 1 && overlap(message.pieces_)) {
    return violation("descriptor: overlaps another of its message");
  }
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
  while (true) {
    shm::RecordView record;
    switch (lane_->reader().peek(record)) {
      case shm::RingReader::Next::kEmpty: return Got::kEmpty;
      case shm::RingReader::Next::kViolation: return violation(lane_->reader().violation());
      case shm::RingReader::Next::kRecord: break;
    }
    Got got = Got::kEmpty;  // goes on with the next record
    switch (record.header.kind) {
      case shm::RecordKind::kMessage:
        got = first_of_request(record.header) && lane_->reader().claim_retracted()
                  ? take_retracted(record, message)
                  : take_message(record, message);
        break;
      case shm::RecordKind::kCredit:
      case shm::RecordKind::kCancel: got = take_note(record.header, message); break;
      case shm::RecordKind::kFin: got = take_fin(record.header); break;
      case shm::RecordKind::kSegment:
        if (!adopt_segment(record)) got = Got::kBroken;
        break;
      case shm::RecordKind::kRetire:
        if (!retire_segment(record.header)) got = Got::kBroken;
        break;
      case shm::RecordKind::kPad: break;  // never shown
    }
    lane_->reader().pop();
    if (got != Got::kEmpty) return got;
  }
}

}  // namespace wharf::ipc::detail
