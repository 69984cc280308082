#include "wharf/runtime/detail/buffer_rings.h"

#include <cerrno>
#include <cstddef>
#include <new>

#include "wharf/runtime/detail/message_buffer.h"
#include "wharf/runtime/detail/perform.h"

namespace wharf::runtime::detail {
namespace {

std::int32_t receive_into(Operation& operation, int file, const io_uring_buf& buffer) noexcept {
  void* const memory = reinterpret_cast<void*>(buffer.addr);
  if (operation.opcode == Opcode::kRecvmsg) {
    const auto& room = *static_cast<const msghdr*>(operation.memory);
    return receive_message(file, room, static_cast<int>(operation.flags),
                           {static_cast<std::byte*>(memory), buffer.len});
  }
  operation.memory = memory;
  operation.memory_bytes = buffer.len;
  return perform(operation, file, true);
}

}  // namespace

int BufferRings::add(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept {
  try {
    if (rings_.size() <= group) rings_.resize(std::size_t{group} + 1);
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  Ring& added = rings_[group];
  if (added.memory != nullptr) return -EEXIST;
  added = {
      .memory = static_cast<io_uring_buf_ring*>(ring), .mask = static_cast<std::uint16_t>(entry_count - 1), .head = 0};
  return 0;
}

std::int32_t BufferRings::receive(Operation& operation, int file) noexcept {
  operation.buffer_taken = -1;
  const auto group = static_cast<std::size_t>(operation.buffer_group);
  if (group >= rings_.size() || rings_[group].memory == nullptr) return -ENOBUFS;
  Ring& ring = rings_[group];
  if (ring.head == ring.memory->tail) return -ENOBUFS;
  const io_uring_buf& buffer = ring.memory->bufs[ring.head & ring.mask];
  const std::int32_t result = receive_into(operation, file, buffer);
  if (result > 0) {
    operation.buffer_taken = buffer.bid;
    ++ring.head;
  }
  return result;
}

}  // namespace wharf::runtime::detail
