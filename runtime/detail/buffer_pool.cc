#include "wharf/runtime/detail/buffer_pool.h"

#include <liburing.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <new>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {
namespace {

constexpr std::uint32_t kCountMax = 32'768;  // the kernel's
constexpr std::uint32_t kBytesMax = std::uint32_t{1} << 20;
constexpr std::int32_t kGroupsMax = 65'536;

// The ring's pages; the buffers follow.
std::size_t ring_bytes(std::uint32_t count) noexcept {
  constexpr std::size_t kPage = 4096;
  return (count * sizeof(io_uring_buf) + kPage - 1) / kPage * kPage;
}

std::size_t all_bytes(std::uint32_t count, std::uint32_t bytes) noexcept {
  return ring_bytes(count) + std::size_t{count} * bytes;
}

io_uring_buf_ring* ring_at(std::byte* memory) noexcept { return reinterpret_cast<io_uring_buf_ring*>(memory); }

}  // namespace

StatusOr<BufferPool*> BufferPool::create(Reactor& reactor, std::uint32_t count, std::uint32_t bytes) {
  if (count == 0 || count > kCountMax || bytes == 0 || bytes > kBytesMax) {
    return make_status(StatusCode::kInvalidArgument, "buffer group: 1 to 32768 buffers of 1 byte to 1 MiB");
  }
  count = std::bit_ceil(count);
  BufferPool* pool = nullptr;
  try {
    pool = new BufferPool(reactor, count, bytes);
  } catch (const std::bad_alloc&) {
    return make_status(StatusCode::kResourceExhausted, "buffer group: no memory");
  }
  int error = 0;
  void* const memory =
      sys::mmap(nullptr, all_bytes(count, bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &error);
  if (memory == nullptr) {
    pool->release();
    return errno_status(-error, "buffer group");
  }
  pool->memory_ = static_cast<std::byte*>(memory);
  pool->buffers_ = pool->memory_ + ring_bytes(count);
  pool->register_ring();
  for (std::uint32_t index = count; index != 0; --index) pool->put(index - 1);
  return pool;
}

BufferPool::BufferPool(Reactor& reactor, std::uint32_t count, std::uint32_t bytes)
    : reactor_(reactor), count_(count), bytes_(bytes), free_count_(count), queued_(count) {}

BufferPool::~BufferPool() {
  WHARF_CHECK(waiters_.empty(), "a BufferGroup was destroyed before the streams that use it");
  if (group_ >= 0) reactor_.backend().remove_buffers(static_cast<std::uint16_t>(group_));
  if (memory_ != nullptr) sys::munmap(memory_, all_bytes(count_, bytes_));
}

// Without a ring of its own the group works as well: the receivers take buffers when there is data.
void BufferPool::register_ring() noexcept {
  io_uring_buf_ring_init(ring_at(memory_));
  for (std::int32_t group = 0; group < kGroupsMax; ++group) {
    const int added = reactor_.backend().add_buffers(static_cast<std::uint16_t>(group), memory_, count_);
    if (added == 0) group_ = group;
    if (added != -EEXIST) return;
  }
}

void BufferPool::put(std::uint32_t index) noexcept {
  if (group_ >= 0) {
    const std::span<std::byte> buffer = memory(index);
    io_uring_buf_ring* const ring = ring_at(memory_);
    io_uring_buf_ring_add(ring, buffer.data(), bytes_, static_cast<std::uint16_t>(index),
                          io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(ring, 1);
    return;
  }
  queued_[index].next = first_free_;
  first_free_ = index;
}

std::uint32_t BufferPool::take() noexcept {
  const std::uint32_t index = first_free_;
  if (index == kNone) return kNone;
  first_free_ = queued_[index].next;
  --free_count_;
  return index;
}

void BufferPool::give_back(std::uint32_t index) noexcept {
  put(index);
  ++free_count_;
  pass_on();
}

void BufferPool::pass_on() noexcept {
  while (free_count_ != 0) {
    BufferWaiter* const waiter = waiters_.pop_front();
    if (waiter == nullptr || waiter->on_buffer_free()) return;
  }
}

}  // namespace wharf::runtime::detail
