// BufferQueue: the buffers of a pool that hold data which nobody has asked for yet, of one receiver, in their order. They are
// linked through the pool, by number: no queue allocates.
//
// Ownership: the pool is borrowed; clear() before it may go.
// Threads:   the reactor's.
#pragma once

#include <cstdint>

#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/detail/buffer_pool.h"

namespace wharf::runtime::detail {

class BufferQueue {
 public:
  explicit BufferQueue(BufferPool& pool) noexcept : pool_(pool) {}
  BufferQueue(const BufferQueue&) = delete;
  BufferQueue& operator=(const BufferQueue&) = delete;

  bool empty() const noexcept { return count_ == 0; }
  std::uint32_t count() const noexcept { return count_; }

  // `bytes` of data are in the buffer.
  void push(std::uint32_t index, std::uint32_t bytes) noexcept {
    pool_.queued(index) = {BufferPool::kNone, bytes};
    if (count_++ == 0) {
      first_ = index;
    } else {
      pool_.queued(last_).next = index;
    }
    last_ = index;
  }
  // It is not empty.
  ReceivedBuffer pop() noexcept {
    const std::uint32_t index = first_;
    const BufferPool::Queued& queued = pool_.queued(index);
    first_ = queued.next;
    --count_;
    return {pool_, index, queued.bytes};
  }
  void clear() noexcept {
    while (!empty()) pop().reset();
  }

 private:
  BufferPool& pool_;
  std::uint32_t first_ = BufferPool::kNone;
  std::uint32_t last_ = BufferPool::kNone;
  std::uint32_t count_ = 0;
};

}  // namespace wharf::runtime::detail
