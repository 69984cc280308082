#include "wharf/ipc/detail/settling.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "wharf/ipc/detail/file_payload.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::ipc::detail {
using Memory = RoutePart::Memory;

Memory Settling::memory_of(const Message& message, std::size_t index, const shm::Lane& lane) noexcept {
  const std::size_t head_count = message.head_count();
  if (index < head_count) return Memory::kPlain;
  const Piece& piece = message.pieces_[index - head_count];
  if (piece.kind() == Piece::Kind::kFile) return Memory::kFile;
  if (piece.lane() != &lane) return Memory::kPlain;
  return piece.kind() == Piece::Kind::kOwnBlock ? Memory::kOwnBlock : Memory::kPeerBlock;
}

std::size_t Settling::plain_bytes(const Message& message, std::size_t first_part, const shm::Lane& lane) noexcept {
  std::size_t bytes = 0;
  for (std::size_t i = first_part; i < message.part_count(); ++i) {
    if (memory_of(message, i, lane) == Memory::kPlain) bytes += message.part_bytes(i);
  }
  return bytes;
}

Settling::Step Settling::begin(const Message& message, std::size_t first_part, const shm::Ref<shm::Lane>& lane,
                               bool arena_is_others, Status& why) {
  lane_ = lane;
  first_part_ = source_part_ = first_part;
  if (!message.readable()) {
    why = absl::ResourceExhaustedError("send: a file in the payload cannot be mapped: too many maps?");
    return Step::kFailed;
  }
  std::size_t fd_count = message.fds_.size();
  for (std::size_t i = first_part; i < message.part_count(); ++i) {
    if (memory_of(message, i, *lane) == Memory::kFile) ++fd_count;
  }
  const RouteLimits limits{.shared_memory = true, .arena_bytes_max = lane->arena().bytes_max()};
  for (std::size_t i = first_part; i < message.part_count(); ++i) {
    if (!is_plain(message, i)) continue;
    std::size_t bytes = message.part_bytes(i);
    while (i + 1 < message.part_count() && is_plain(message, i + 1)) bytes += message.part_bytes(++i);
    const bool fd_to_spare = fd_count < shm::kFdCountMax;
    const Route route = choose_route({.bytes = bytes, .fd_to_spare = fd_to_spare}, limits);
    shm::Allocation got = shm::Allocation::kTooLarge;
    if (route == Route::kCopy) got = arena_is_others ? shm::Allocation::kFull : add_blocks(bytes);
    // Nothing is on its way home: what fills the arena is loans, whose messages may wait behind this one.
    if (got == shm::Allocation::kFull && lane->lent().lent_count() == 0) got = shm::Allocation::kTooLarge;
    Step step = Step::kDone;
    if (got == shm::Allocation::kFull) {
      step = Step::kNoMemory;
    } else if (got == shm::Allocation::kRefused) {
      step = Step::kFailed;
      why = lane_->arena().growth_error();
    } else if (got == shm::Allocation::kTooLarge && fd_to_spare) {
      step = add_file(bytes, why);
      ++fd_count;
    } else if (got == shm::Allocation::kTooLarge) {
      step = Step::kFailed;
      why = absl::ResourceExhaustedError(
          "send: the arena has no room for the payload, and no descriptor is to spare for a file: raise "
          "arena_bytes_max");
    }
    if (step == Step::kDone) continue;
    give_up(0);
    return step;
  }
  return Step::kDone;
}

// All of them, or none.
shm::Allocation Settling::add_blocks(std::size_t bytes) {
  const std::size_t target_count = targets_.size();
  for (std::size_t left = bytes; left != 0;) {
    const std::size_t block_bytes = std::min(left, kCopyBlockBytes);
    shm::OwnBlock block;
    const shm::Allocation got = lane_->arena().allocate(block_bytes, block);
    if (got != shm::Allocation::kOk) {
      give_up(target_count);
      return got;
    }
    targets_.push_back({block_bytes, block.data, {}, Piece(lane_, block, block_bytes)});
    left -= block_bytes;
  }
  return shm::Allocation::kOk;
}

Settling::Step Settling::add_file(std::size_t bytes, Status& why) {
  StatusOr<runtime::UniqueFd> file = FilePayload::create();
  if (!file.ok()) {
    why = file.status();
    return Step::kFailed;
  }
  targets_.push_back({bytes, nullptr, *std::move(file), Piece(std::span<const std::byte>())});
  return Step::kDone;
}

// Drops the targets from number `from` on. Nobody else gains from what is given back here, so nobody is told.
void Settling::give_up(std::size_t from) noexcept {
  for (; targets_.size() > from; targets_.pop_back()) {
    Target& target = targets_.back();
    if (target.data == nullptr) continue;
    lane_->arena().free(target.piece.block_id());
    target.piece.forget();
  }
}

Settling::Step Settling::copy(const Message& message, std::size_t bytes_max, PortCounters& counters, Status& why) {
  while (target_ < targets_.size()) {
    if (bytes_max == 0) return Step::kMore;
    while (!is_plain(message, source_part_) || source_offset_ == message.part_bytes(source_part_)) {
      ++source_part_;
      source_offset_ = 0;
    }
    Target& target = targets_[target_];
    const std::span<const std::byte> source = message.view(source_part_).subspan(source_offset_);
    const std::size_t count = std::min({source.size(), target.bytes - target_offset_, bytes_max});
    if (Step step = fill(target, source.first(count), counters, why); step != Step::kDone) return step;
    bytes_max -= count;
    source_offset_ += count;
    target_offset_ += count;
    if (target_offset_ < target.bytes) continue;
    if (target.data == nullptr) {
      auto file = std::make_unique<FilePayload>(FilePayload::seal(std::move(target.file), target.bytes));
      if (!file->sealed()) {
        why = absl::InternalError("send: the kernel does not seal a payload file");
        return Step::kFailed;
      }
      target.piece = Piece(std::move(file));
    }
    ++target_;
    target_offset_ = 0;
  }
  return Step::kDone;
}

Settling::Step Settling::fill(Target& target, std::span<const std::byte> source, PortCounters& counters, Status& why) {
  if (target.data != nullptr) {
    std::memcpy(target.data + target_offset_, source.data(), source.size());
    counters.bytes_copied_to_arena += source.size();
    return Step::kDone;
  }
  // Written, and not mapped: the kernel allocates as it copies, clears nothing first, and can say that it has no more.
  for (std::size_t done = 0; done < source.size();) {
    const ssize_t result = runtime::sys::write(target.file.get(), source.data() + done, source.size() - done);
    if (result < 0) {
      why = runtime::errno_status(static_cast<int>(-result), "send: write to a payload file");
      return Step::kFailed;
    }
    done += static_cast<std::size_t>(result);
  }
  counters.bytes_copied_to_files += source.size();
  return Step::kDone;
}

void Settling::finish(Message& message, PortCounters& counters) {
  Few<Piece> pieces;
  const std::size_t head_count = message.head_count();
  auto target = targets_.begin();
  for (std::size_t i = 0; i < message.part_count(); ++i) {
    if (i < first_part_ || !is_plain(message, i)) {
      if (i >= head_count) pieces.push_back(std::move(message.pieces_[i - head_count]));
      continue;
    }
    std::size_t bytes = message.part_bytes(i);
    while (i + 1 < message.part_count() && is_plain(message, i + 1)) bytes += message.part_bytes(++i);
    for (; bytes != 0; ++target) {
      bytes -= target->bytes;
      ++(target->data != nullptr ? counters.blocks_copied : counters.files_copied);
      pieces.push_back(std::move(target->piece));
    }
  }
  if (first_part_ == 0) message.head_ = SmallBytes();
  message.pieces_ = std::move(pieces);
  targets_.clear();
}

}  // namespace wharf::ipc::detail
