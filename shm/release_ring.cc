#include "wharf/shm/release_ring.h"

#include <cstring>

namespace wharf::shm {

Violation ReleaseReader::refresh(std::size_t lent_count) noexcept {
  const std::uint64_t returned = peer_.returned.load(std::memory_order_seq_cst);
  const std::uint64_t unread = returned - tail_;
  if (unread < peer_returned_ - tail_ || unread > lent_count) return "returned";
  peer_returned_ = returned;
  return nullptr;
}

std::optional<std::uint32_t> ReleaseReader::pop() noexcept {
  ReleaseEntry entry;
  std::memcpy(&entry, entries_ + (tail_++ & mask_) * sizeof(ReleaseEntry), sizeof(entry));
  if (entry.reserved != 0) return std::nullopt;
  return entry.token;
}

}  // namespace wharf::shm
