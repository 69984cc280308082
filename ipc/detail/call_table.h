// CallTable: finds the call that a reply belongs to. A stream id names a slot and its generation, so that a late reply
// to a call that gave up is recognised.
//
// Threads: the port's reactor.
// Cost:    O(1), without hashing; memory grows to the most calls that were ever open at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wharf::ipc::detail {

template <class Call>
class CallTable {
 public:
  // Generations go on from `first_generation`.
  explicit CallTable(std::uint32_t first_generation = 0) noexcept : first_generation_(first_generation) {}

  std::size_t size() const noexcept { return size_; }

  // Registers `call`; returns its stream id, which is never 0.
  std::uint64_t add(Call& call) {
    if (first_free_ == slots_.size()) slots_.push_back({nullptr, first_generation_, first_free_ + 1});
    const std::uint32_t index = first_free_;
    Slot& slot = slots_[index];
    first_free_ = slot.next_free;
    slot.call = &call;
    ++slot.generation;
    ++size_;
    return (std::uint64_t{slot.generation} << 32) | (index + 1);
  }

  // Null if there is no such call, or no longer.
  Call* find(std::uint64_t stream) const noexcept {
    const std::uint64_t index = (stream & UINT32_MAX) - 1;
    if (index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[index];
    return slot.generation == stream >> 32 ? slot.call : nullptr;
  }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.call != nullptr) visit(*slot.call);
    }
  }

  void remove(std::uint64_t stream) noexcept {
    if (find(stream) == nullptr) return;
    const auto index = static_cast<std::uint32_t>((stream & UINT32_MAX) - 1);
    slots_[index].call = nullptr;
    slots_[index].next_free = first_free_;
    first_free_ = index;
    --size_;
  }

 private:
  struct Slot {
    Call* call;
    std::uint32_t generation;
    std::uint32_t next_free;
  };
  const std::uint32_t first_generation_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = 0;
  std::size_t size_ = 0;
};

}  // namespace wharf::ipc::detail
