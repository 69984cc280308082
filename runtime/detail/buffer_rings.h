// BufferRings: receives into the buffers of a group (Backend::add_buffers), for a backend without io_uring: it takes them from
// the same rings as the kernel does there, when the socket has something.
//
// Ownership: the rings are borrowed until remove(); so are their buffers.
// Threads:   one.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <vector>

#include "wharf/runtime/backend.h"

namespace wharf::runtime::detail {

class BufferRings {
 public:
  // Gives 0, or -EEXIST, the number is taken, or -ENOMEM.
  int add(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept;
  void remove(std::uint16_t group) noexcept { rings_[group] = {}; }

  // A kRecv or kRecvmsg with a buffer_group, without waiting. Gives what io_uring does, or minus the errno: -ENOBUFS, the
  // group has no buffer. buffer_taken tells the buffer that was taken, which it is only for bytes.
  std::int32_t receive(Operation& operation, int file) noexcept;

 private:
  struct Ring {
    io_uring_buf_ring* memory = nullptr;  // null: the number is free
    std::uint16_t mask = 0;
    std::uint16_t head = 0;  // the next one to take; the tail is the owner's, in memory
  };
  std::vector<Ring> rings_;  // by number, which are given from 0 on
};

}  // namespace wharf::runtime::detail
