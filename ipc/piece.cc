#include "wharf/ipc/piece.h"

#include "wharf/runtime/base/check.h"

namespace wharf::ipc {

void Piece::give_back() noexcept {
  if (kind_ == Kind::kOwnBlock) {
    lane_->free(block_id());
  } else {
    lane_->release(token_);
  }
}

void Piece::swap(Piece& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(lane_, other.lane_);
  std::swap(unit_, other.unit_);
  std::swap(segment_, other.segment_);
  std::swap(token_, other.token_);
  std::swap(kind_, other.kind_);
}

void Loan::resize(std::size_t bytes) noexcept {
  WHARF_CHECK_LE(bytes, capacity_bytes_);
  piece_.resize(bytes);
}

}  // namespace wharf::ipc
