#include "wharf/runtime/detail/buffer_rings.h"

#include <cerrno>
#include <new>

#include "wharf/runtime/detail/perform.h"

namespace wharf::runtime::detail {

int BufferRings::add(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept {
  try {
    if (rings_.size() <= group) rings_.resize(std::size_t{group} + 1);
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  Ring& added = rings_[group];
  if (added.memory != nullptr) return -EEXIST;
  added = {.memory = static_cast<io_uring_buf_ring*>(ring),
           .mask = static_cast<std::uint16_t>(entry_count - 1),
           .head = 0};
  return 0;
}

std::int32_t BufferRings::receive(Operation& operation, int file) noexcept {
  operation.buffer_taken = -1;
  const auto group = static_cast<std::size_t>(operation.buffer_group);
  if (group >= rings_.size() || rings_[group].memory == nullptr) return -ENOBUFS;
  Ring& ring = rings_[group];
  if (ring.head == ring.memory->tail) return -ENOBUFS;
  const io_uring_buf& buffer = ring.memory->bufs[ring.head & ring.mask];
  operation.memory = reinterpret_cast<void*>(buffer.addr);
  operation.memory_bytes = buffer.len;
  const std::int32_t result = perform(operation, file, true);
  if (result > 0) {
    operation.buffer_taken = buffer.bid;
    ++ring.head;
  }
  return result;
}

}  // namespace wharf::runtime::detail
