#include "wharf/ipc/piece.h"

#include <algorithm>

#include "wharf/runtime/base/check.h"

namespace wharf::ipc {

void Piece::give_back() noexcept {
  if (kind_ == Kind::kOwnBlock) {
    lane_->free(block_id());
  } else {
    lane_->peer_arena().end_view(segment_);
    lane_->release(token_);
  }
}

void Piece::forget() noexcept {
  if (kind_ == Kind::kPeerBlock) lane_->peer_arena().end_view(segment_);
  lane_.reset();
}

void Piece::swap(Piece& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(lane_, other.lane_);
  std::swap(file_, other.file_);
  std::swap(unit_, other.unit_);
  std::swap(segment_, other.segment_);
  std::swap(token_, other.token_);
  std::swap(kind_, other.kind_);
  std::swap(guarded_, other.guarded_);
}

runtime::UniqueFd Piece::take_file() noexcept {
  if (kind_ != Kind::kFile) return {};
  runtime::UniqueFd fd = std::move(*file_).take_fd();
  *this = Piece(std::span<const std::byte>());
  return fd;
}

void Loan::resize(std::size_t bytes) noexcept {
  WHARF_CHECK_LE(bytes, capacity_bytes());
  piece_.resize(bytes);
}

Status Loan::grow(std::size_t bytes, std::size_t bytes_min) noexcept {
  WHARF_CHECK_LE(bytes_min, bytes);
  if (bytes > capacity_bytes() && !piece_.lane_->arena().grow(block_, bytes, bytes_min) &&
      bytes_min > capacity_bytes()) {
    return absl::ResourceExhaustedError(
        "grow: the memory behind the loan is in use: ask for more at first, or copy to a larger loan");
  }
  piece_.resize(std::max(size_bytes(), std::min(bytes, capacity_bytes())));
  return absl::OkStatus();
}

void Loan::shrink_to_fit() noexcept { piece_.lane_->shrink(block_, size_bytes()); }

}  // namespace wharf::ipc
