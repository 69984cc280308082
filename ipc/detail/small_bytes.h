// SmallBytes: payload that was copied on arrival, out of the ring or the socket's buffer. A few bytes lie in the object;
// more come from the coroutine frames' cache, which has the ring's sizes ready; very many from malloc behind it, which
// takes memory only as it is written.
// Threads: any, one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "wharf/coro/frame_cache.h"

namespace wharf::ipc::detail {

class SmallBytes {
 public:
  SmallBytes() noexcept = default;
  explicit SmallBytes(std::span<const std::byte> source) : SmallBytes(source.size()) {
    if (bytes_ != 0) std::memcpy(data(), source.data(), bytes_);
  }
  // Precondition: it is empty.
  void fill(const std::byte* source, std::size_t bytes) {
    bytes_ = bytes;
    if (bytes > kInPlaceBytes) data_ = static_cast<std::byte*>(coro::allocate_frame(bytes));
    std::memcpy(data(), source, bytes);
  }
  // To be filled by way of writable().
  explicit SmallBytes(std::size_t bytes) : bytes_(bytes) {
    if (bytes_ > kInPlaceBytes) data_ = static_cast<std::byte*>(coro::allocate_frame(bytes_));
  }
  SmallBytes(SmallBytes&& other) noexcept { take(other); }
  SmallBytes& operator=(SmallBytes&& other) noexcept {
    if (this == &other) return *this;
    free();
    take(other);
    return *this;
  }
  ~SmallBytes() { free(); }

  std::span<const std::byte> bytes() const noexcept { return {data_ != nullptr ? data_ : in_place_.data(), bytes_}; }
  std::span<std::byte> writable() noexcept { return {data(), bytes_}; }

 private:
  static constexpr std::size_t kInPlaceBytes = 64;
  static constexpr std::size_t kStepBytes = 16;

  std::byte* data() noexcept { return data_ != nullptr ? data_ : in_place_.data(); }
  // In few wide moves, where a copy of so many bytes is a call.
  void take(SmallBytes& other) noexcept {
    bytes_ = std::exchange(other.bytes_, 0);
    data_ = std::exchange(other.data_, nullptr);
    if (data_ != nullptr) return;
    for (std::size_t at = 0; at < bytes_; at += kStepBytes) {
      std::memcpy(in_place_.data() + at, other.in_place_.data() + at, kStepBytes);
    }
  }
  void free() noexcept {
    if (data_ != nullptr) coro::free_frame(data_, bytes_);
  }

  std::size_t bytes_ = 0;
  std::byte* data_ = nullptr;                      // null: in place
  std::array<std::byte, kInPlaceBytes> in_place_;  // the first bytes_ are set
};

}  // namespace wharf::ipc::detail
