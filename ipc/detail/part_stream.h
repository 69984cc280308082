// The two ends of one direction of a stream: a request, or a reply, that comes in parts. The reader gives credit for
// parts as they are taken, so that a reader which is slow, or has gone, bounds its writer and nobody else.
//
// Threads: the port's reactor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "wharf/ipc/detail/queue.h"
#include "wharf/ipc/message.h"

namespace wharf::ipc::detail {

// Parts that have arrived, until they are taken.
class PartReader {
 public:
  // Units: parts that the writer may send before credit is given.
  explicit PartReader(std::uint32_t window) noexcept : window_(window) {}

  // False: the writer had no credit for it. The last part of a reply needs none (`counted` is false).
  [[nodiscard]] bool push(Message part, bool counted) {
    if (counted && untaken_ == window_) return false;
    if (counted) ++untaken_;
    parts_.push(std::move(part));
    return true;
  }
  bool empty() const noexcept { return parts_.empty(); }
  // Precondition: !empty().
  const Message& front() const noexcept { return parts_.front(); }
  // Precondition: !empty(). Credit is due for the part if `counted`.
  Message pop(bool counted) noexcept {
    if (counted) ++taken_;
    return parts_.pop();
  }
  // Credit to give now: in halves of the window, so that it costs one record for many parts; 0: none.
  std::uint32_t take_credit() noexcept {
    if (taken_ < std::max<std::uint32_t>(window_ / 2, 1)) return 0;
    untaken_ -= taken_;
    return std::exchange(taken_, 0);
  }

 private:
  const std::uint32_t window_;
  std::uint32_t untaken_ = 0;  // received, and no credit given for them
  std::uint32_t taken_ = 0;    // of those: taken
  Queue<Message> parts_;
};

// What may be sent.
class PartWriter {
 public:
  explicit PartWriter(std::uint32_t window) noexcept : credit_(window) {}

  bool may_send() const noexcept { return credit_ != 0; }
  // Precondition: may_send().
  void sent() noexcept { --credit_; }
  void add(std::uint32_t part_count) noexcept {
    credit_ += std::min(part_count, std::numeric_limits<std::uint32_t>::max() - credit_);
  }

 private:
  std::uint32_t credit_;
};

}  // namespace wharf::ipc::detail
