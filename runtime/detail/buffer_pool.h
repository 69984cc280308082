// BufferPool: the memory behind a BufferGroup. Where the backend offers it, a ring tells it which buffers are free, and it takes
// one when there is data; otherwise the receiver takes one when the socket is readable.
//
// Ownership: counted: by the group, by each buffer that somebody holds, by each operation. The last one deletes it.
// Threads:   the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/detail/list.h"

namespace wharf::runtime {

class Reactor;

namespace detail {

struct BufferWaiterTag;

// Is told that a buffer has become free.
class BufferWaiter : private ListNode<BufferWaiterTag> {
 protected:
  BufferWaiter() noexcept = default;
  ~BufferWaiter() = default;
  // It waits no longer. True: it has use for the buffer, and takes it, or has the backend take it; otherwise the next one is
  // told. May only enqueue.
  virtual bool on_buffer_free() noexcept = 0;

 private:
  friend class BufferPool;
  template <class, class>
  friend class List;
};

class BufferPool {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // Errors: see BufferGroup::create. The caller holds one count.
  static StatusOr<BufferPool*> create(Reactor& reactor, std::uint32_t count, std::uint32_t bytes);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  void acquire() noexcept { ++user_count_; }
  void release() noexcept {
    if (--user_count_ == 0) delete this;
  }

  // For Operation::buffer_group; -1: the backend takes none by itself.
  std::int32_t group() const noexcept { return group_; }
  std::uint32_t count() const noexcept { return count_; }
  std::uint32_t free_count() const noexcept { return free_count_; }
  std::span<std::byte> memory(std::uint32_t index) noexcept { return {buffers_ + std::size_t{index} * bytes_, bytes_}; }

  // A free buffer's number, or kNone. Without a group only.
  std::uint32_t take() noexcept;
  // The backend has taken one of the group.
  void taken_by_backend() noexcept { --free_count_; }
  // It is free again. Tells the first that waits.
  void give_back(std::uint32_t index) noexcept;
  // Whoever was told, and took none after all, says so: it is for the next that waits, if one is free.
  void pass_on() noexcept;

  // A waiter that leaves, or dies, is removed.
  void wait(BufferWaiter& waiter) noexcept { waiters_.push_back(waiter); }
  static bool waits(const BufferWaiter& waiter) noexcept { return WaiterList::linked(waiter); }
  static void remove(BufferWaiter& waiter) noexcept {
    if (WaiterList::linked(waiter)) WaiterList::remove(waiter);
  }

  // Each stream's queue of buffers with data goes through these: by number, so that no queue allocates.
  struct Queued {
    std::uint32_t next = kNone;
    std::uint32_t bytes = 0;
  };
  Queued& queued(std::uint32_t index) noexcept { return queued_[index]; }

 private:
  using WaiterList = List<BufferWaiter, BufferWaiterTag>;

  BufferPool(Reactor& reactor, std::uint32_t count, std::uint32_t bytes);
  ~BufferPool();
  void register_ring() noexcept;
  void put(std::uint32_t index) noexcept;

  Reactor& reactor_;
  const std::uint32_t count_;
  const std::uint32_t bytes_;
  std::uint32_t user_count_ = 1;
  std::uint32_t free_count_;
  std::int32_t group_ = -1;
  std::byte* memory_ = nullptr;  // the ring, then the buffers
  std::byte* buffers_ = nullptr;
  std::vector<Queued> queued_;  // free ones are linked by `next` where there is no ring
  std::uint32_t first_free_ = kNone;
  WaiterList waiters_;
};

}  // namespace detail
}  // namespace wharf::runtime
