// BufferGroup: buffers that many sockets share, each taken only when data is there; ReceivedBuffer, one with data in it.
// So a thousand idle connections hold no receive buffers. What reads with them: RecvStream (recv_stream.h).
//
// Whoever sends much can hold every buffer of a group until its receiver has given them back: peers that do not trust each
// other get a group each, or at least not the one that trusted peers use.
//
// Ownership: buffers may outlive their BufferGroup, and neither outlives the reactor.
// Threads:   the reactor's.
// Cost:      the memory, up to `count` rounded up to a power of two times `bytes`, is taken at once. Taking and returning a
//            buffer: no system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/detail/buffer_pool.h"

namespace wharf::runtime {

class Reactor;

// Gives its buffer back when it dies.
class [[nodiscard]] ReceivedBuffer {
 public:
  ReceivedBuffer() noexcept = default;
  ReceivedBuffer(detail::BufferPool& pool, std::uint32_t index, std::size_t bytes) noexcept
      : pool_(&pool), index_(index), bytes_(bytes) {
    pool.acquire();
  }
  ReceivedBuffer(ReceivedBuffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_), bytes_(other.bytes_) {}
  ReceivedBuffer& operator=(ReceivedBuffer&& other) noexcept {
    reset();
    pool_ = std::exchange(other.pool_, nullptr);
    index_ = other.index_;
    bytes_ = other.bytes_;
    return *this;
  }
  ~ReceivedBuffer() { reset(); }

  // False: no buffer, which means the end of the stream.
  explicit operator bool() const noexcept { return pool_ != nullptr; }
  std::span<std::byte> bytes() const noexcept {
    if (pool_ == nullptr) return {};
    return pool_->memory(index_).first(bytes_);
  }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(bytes().data()), bytes().size()}; }
  void reset() noexcept {
    if (pool_ == nullptr) return;
    pool_->give_back(index_);
    std::exchange(pool_, nullptr)->release();
  }

 private:
  detail::BufferPool* pool_ = nullptr;
  std::uint32_t index_ = 0;
  std::size_t bytes_ = 0;
};

class BufferGroup {
 public:
  // `count` buffers of `bytes` each.
  //
  // Units:  count 1 to 32768, rounded up to a power of two; bytes 1 to 1 MiB.
  // Errors: InvalidArgument    over a limit
  //         ResourceExhausted  no memory
  static StatusOr<BufferGroup> create(Reactor& reactor, std::uint32_t count, std::uint32_t bytes);
  BufferGroup(BufferGroup&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
  BufferGroup& operator=(BufferGroup&& other) noexcept {
    std::swap(pool_, other.pool_);
    return *this;
  }
  ~BufferGroup() {
    if (pool_ != nullptr) pool_->release();
  }

  // That nobody holds now.
  std::uint32_t free_count() const noexcept { return pool_->free_count(); }
  std::uint32_t count() const noexcept { return pool_->count(); }

  // For who reads with it.
  detail::BufferPool& pool() const noexcept { return *pool_; }

 private:
  explicit BufferGroup(detail::BufferPool& pool) noexcept : pool_(&pool) {}
  detail::BufferPool* pool_;
};

}  // namespace wharf::runtime
