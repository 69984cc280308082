// The floor of everything that goes through shared memory: a single-producer single-consumer ring of equal slots, in which
// payloads are written and read in place. Positions are cached, published and credited in batches: the ways in which public
// rings are fast. It has no variable records, no checks of what the peer wrote, no reply, no way to sleep.
//
// Threads: one producer, one consumer; in any two processes that share the memory.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

inline constexpr std::size_t kSmallRingBytes = 64 * 1024;
inline constexpr std::size_t kLargeRingBytes = 8 * 1024 * 1024;  // as large as a link's arena

inline std::size_t ring_bytes(const Load& load) {
  return load.payload_bytes > 1024 ? kLargeRingBytes : kSmallRingBytes;
}

class BareRing {
 public:
  // Units: slots of payload_bytes, as many as ring_bytes hold, at least two and a power of two.
  BareRing(std::size_t ring_bytes, std::size_t payload_bytes)
      : slot_bytes_((payload_bytes + kLengthBytes + 15) / 16 * 16), slot_count_(2) {
    while (slot_count_ * 2 * slot_bytes_ <= ring_bytes) slot_count_ *= 2;
    batch_ = std::min<std::uint64_t>(32, slot_count_ / 4);
    if (batch_ == 0) batch_ = 1;
    void* memory = ::mmap(nullptr, sizeof(Lines) + slot_count_ * slot_bytes_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    lines_ = ::new (memory) Lines;
    slots_ = static_cast<std::byte*>(memory) + sizeof(Lines);
  }
  BareRing(const BareRing&) = delete;
  BareRing& operator=(const BareRing&) = delete;
  ~BareRing() { ::munmap(lines_, sizeof(Lines) + slot_count_ * slot_bytes_); }

  std::uint64_t slot_count() const noexcept { return slot_count_; }

  // ---- The producer ----
  // Where the next payload is to be written; null while the ring is full. What was written so far is then published.
  std::byte* reserve() noexcept {
    if (head_ - seen_tail_ == slot_count_) {
      seen_tail_ = lines_->tail.load(std::memory_order_acquire);
      if (head_ - seen_tail_ == slot_count_) {
        publish();
        return nullptr;
      }
    }
    return slot(head_) + kLengthBytes;
  }
  // The payload is written. Published now and then, as the batch says.
  void commit(std::size_t bytes) noexcept {
    const std::uint64_t length = bytes;
    std::memcpy(slot(head_), &length, sizeof(length));
    if (++head_ % batch_ == 0) publish();
  }
  void publish() noexcept { lines_->head.store(head_, std::memory_order_release); }

  // ---- The consumer ----
  // The next payload, to be read in place; null if there is none. Credits are then given.
  const std::byte* peek(std::size_t& bytes) noexcept {
    if (tail_ == seen_head_) {
      seen_head_ = lines_->head.load(std::memory_order_acquire);
      if (tail_ == seen_head_) {
        credit();
        return nullptr;
      }
    }
    std::uint64_t length = 0;
    std::memcpy(&length, slot(tail_), sizeof(length));
    bytes = length;
    return slot(tail_) + kLengthBytes;
  }
  void pop() noexcept {
    if (++tail_ % batch_ == 0) credit();
  }
  void credit() noexcept {
    if (credited_ == tail_) return;
    credited_ = tail_;
    lines_->tail.store(tail_, std::memory_order_release);
  }
  bool empty() const noexcept { return lines_->head.load() == tail_; }

 private:
  static constexpr std::size_t kLengthBytes = 16;  // of which 8 are used: payloads stay aligned
  struct Lines {
    alignas(128) std::atomic<std::uint64_t> head{0};
    alignas(128) std::atomic<std::uint64_t> tail{0};
    alignas(128) std::byte slots_follow[1];  // NOLINT(modernize-avoid-c-arrays)
  };

  std::byte* slot(std::uint64_t position) const noexcept {
    return slots_ + (position & (slot_count_ - 1)) * slot_bytes_;
  }

  const std::size_t slot_bytes_;
  std::uint64_t slot_count_;
  std::uint64_t batch_;
  Lines* lines_;
  std::byte* slots_;
  alignas(128) std::uint64_t head_ = 0;  // of the producer alone
  std::uint64_t seen_tail_ = 0;
  alignas(128) std::uint64_t tail_ = 0;  // of the consumer alone
  std::uint64_t seen_head_ = 0;
  std::uint64_t credited_ = 0;
};

}  // namespace wharf::perf
