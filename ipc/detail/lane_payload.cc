// The payload of a LaneTransport's messages: how its parts become what a record can name, and what a record names
// becomes parts.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "wharf/ipc/detail/file_payload.h"
#include "wharf/ipc/detail/lane_transport.h"
#include "wharf/ipc/detail/route.h"
#include "wharf/ipc/detail/settling.h"

namespace wharf::ipc::detail {

LaneTransport::Plan LaneTransport::plan(const Message& message) const noexcept {
  Plan plan;
  for (; plan.inline_part_count < message.part_count(); ++plan.inline_part_count) {
    const RoutePart part{
        .memory = Settling::memory_of(message, plan.inline_part_count, *lane_),
        .bytes = message.part_bytes(plan.inline_part_count),
        .at_front = true,
        .inline_room = limits_.inline_bytes_max - plan.inline_bytes,
        .fd_to_spare = true,
    };
    if (choose_route(part, {.shared_memory = true}) != Route::kInline) break;
    plan.inline_bytes += part.bytes;
  }
  return plan;
}

bool LaneTransport::takes_turns(const Outgoing& outgoing) const noexcept {
  const Message& message = outgoing.message;
  return message.size_bytes() > limits_.turn_bytes_max &&
         Settling::plain_bytes(message, plan(message).inline_part_count, *lane_) > limits_.turn_bytes_max;
}

Transport::Sent LaneTransport::settle(Outgoing& outgoing, const Plan& plan) {
  Message& message = outgoing.message;
  Settling at_once;
  Settling& settling = outgoing.settling != nullptr ? *outgoing.settling : at_once;
  Status why;
  if (outgoing.settling == nullptr) {
    if (Settling::plain_bytes(message, plan.inline_part_count, *lane_) == 0) return Sent::kSent;
    switch (settling.begin(message, plan.inline_part_count, lane_, outgoing.memory_is_others, why)) {
      case Settling::Step::kNoMemory: return Sent::kNoMemory;
      case Settling::Step::kFailed: return refuse(outgoing, std::move(why));
      case Settling::Step::kDone:
      case Settling::Step::kMore: break;
    }
  }
  const Settling::Step step = settling.copy(message, limits_.turn_bytes_max, counters_, why);
  if (step == Settling::Step::kFailed) return refuse(outgoing, std::move(why));
  const bool large = outgoing.settling != nullptr || step == Settling::Step::kMore;
  if (large) ++counters_.quanta;
  if (step == Settling::Step::kMore) {
    if (outgoing.settling == nullptr) outgoing.settling = std::make_unique<Settling>(std::move(at_once));
    return Sent::kProgress;
  }
  settling.finish(message, counters_);
  outgoing.settling.reset();
  return Sent::kSent;
}

LaneTransport::BorrowedFds LaneTransport::fds_of(const Message& message, std::size_t& file_bytes) const {
  BorrowedFds fds;
  for (const runtime::UniqueFd& fd : message.fds_) fds.push_back(fd.get());
  for (const Piece& piece : message.pieces_) {
    if (piece.kind() != Piece::Kind::kFile) continue;
    fds.push_back(piece.fd());
    file_bytes += piece.size_bytes();
  }
  return fds;
}

// A peer that does not read makes us keep no more in files than one message may have.
Transport::Sent LaneTransport::reserve_files(std::size_t bytes) {
  if (unread_file_bytes_ + bytes <= limits_.message_bytes_max) return Sent::kSent;
  if (!lane_->writer().refresh()) {
    violation("consumed");
    return Sent::kBroken;
  }
  if (lane_->writer().consumed(last_file_position_)) unread_file_bytes_ = 0;
  return unread_file_bytes_ == 0 ? Sent::kSent : Sent::kNoSpace;
}

shm::BlockDescriptor LaneTransport::describe(Piece& piece, std::size_t& fd_count) noexcept {
  if (piece.kind() == Piece::Kind::kFile) {
    ++counters_.files_sent;
    return {.token = static_cast<std::uint32_t>(fd_count++),
            .segment = shm::kFileSegment,
            .offset_units = static_cast<std::uint32_t>(std::uint64_t{piece.size_bytes()} >> 32),
            .bytes = static_cast<std::uint32_t>(piece.size_bytes())};
  }
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

bool LaneTransport::take_block(const shm::BlockDescriptor& descriptor, Message& message) {
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

// `fds`: those of the message, which the files follow in the order of their descriptors.
bool LaneTransport::take_file(const shm::BlockDescriptor& descriptor, Fds& files, Message& message) {
  const std::size_t first = message.fds_.size();
  if (descriptor.token < first || descriptor.token - first >= files.size() || !files[descriptor.token - first]) {
    return violation("descriptor.token: no file of its own"), false;
  }
  const std::uint64_t bytes = std::uint64_t{descriptor.offset_units} << 32 | descriptor.bytes;
  if (bytes > limits_.message_bytes_max) return violation("descriptor: a file beyond message_bytes_max"), false;
  StatusOr<FilePayload> file = FilePayload::adopt(files[descriptor.token - first], bytes);
  if (!file.ok()) {
    status_ = file.status();
    return false;
  }
  message.pieces_.emplace_back(std::make_unique<FilePayload>(*std::move(file)));
  return true;
}

// Precondition: the message's fds are all that came. Those that are files leave it.
bool LaneTransport::take_payload(const shm::RecordView& record, Message& message) {
  std::array<shm::BlockDescriptor, shm::kBlockCountMax> descriptors;
  const std::size_t count = record.header.block_count;
  std::memcpy(descriptors.data(), record.descriptors, count * sizeof(shm::BlockDescriptor));
  const auto is_file = [](const shm::BlockDescriptor& item) { return item.segment == shm::kFileSegment; };
  const auto file_count =
      static_cast<std::size_t>(std::count_if(descriptors.begin(), descriptors.begin() + count, is_file));
  if (file_count > message.fds_.size()) return violation("descriptor: more files than descriptors came"), false;
  Fds files = message.fds_.split_off(message.fds_.size() - file_count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool taken =
        is_file(descriptors[i]) ? take_file(descriptors[i], files, message) : take_block(descriptors[i], message);
    if (!taken) return false;
  }
  return true;
}

}  // namespace wharf::ipc::detail
