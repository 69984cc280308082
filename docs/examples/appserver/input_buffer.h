// InputBuffer: the bytes that a connection has received and nobody has used yet, in one piece.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace appserver {

class InputBuffer {
 public:
  // Units: the most that it can hold.
  explicit InputBuffer(std::size_t capacity_bytes)
      : memory_(new char[capacity_bytes]), capacity_bytes_(capacity_bytes) {}

  // What is there. Valid until room() is called.
  std::string_view text() const noexcept { return {memory_.get() + begin_, end_ - begin_}; }
  bool empty() const noexcept { return begin_ == end_; }
  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Where to receive more, empty if it is full; moves what is there to the front.
  std::span<std::byte> room() noexcept {
    if (begin_ != 0) {
      std::memmove(memory_.get(), memory_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    return {reinterpret_cast<std::byte*>(memory_.get()) + end_, capacity_bytes_ - end_};
  }
  void received(std::size_t bytes) noexcept { end_ += bytes; }

 private:
  std::unique_ptr<char[]> memory_;
  std::size_t capacity_bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace appserver
