// Buffer: owned bytes, for operations that keep their memory themselves (owned_io.h).
//
// Threads: any; one at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace wharf::runtime {

class Buffer {
 public:
  // None.
  Buffer() noexcept = default;
  // Of so many bytes, not initialised.
  explicit Buffer(std::size_t bytes)
      : memory_(bytes != 0 ? new std::byte[bytes] : nullptr), size_(bytes), capacity_(bytes) {}
  Buffer(Buffer&& other) noexcept
      : memory_(std::move(other.memory_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }
  ~Buffer() = default;

  static Buffer copy_of(std::string_view text) {
    Buffer buffer(text.size());
    if (!text.empty()) std::memcpy(buffer.data(), text.data(), text.size());
    return buffer;
  }

  std::byte* data() noexcept { return memory_.get(); }
  const std::byte* data() const noexcept { return memory_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::span<std::byte> bytes() noexcept { return {memory_.get(), size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(memory_.get()), size_}; }
  // Up to its capacity: what more would be wanted is left out.
  void resize(std::size_t bytes) noexcept { size_ = std::min(bytes, capacity_); }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace wharf::runtime
