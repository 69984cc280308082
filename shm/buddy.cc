#include "wharf/shm/buddy.h"

#include <bit>

#include "wharf/runtime/base/check.h"

namespace wharf::shm {
namespace {

// With one or two blocks in flight the newest free one is still in this core's cache: walking fresh lines cost 1.3x at
// 1 KiB there and back. With many in flight the receiver's core owns the newest: oldest first moved 32 GB/s at 16 KiB
// where newest first moved 2-7 (docs/architecture.md).
constexpr std::uint32_t kFewInFlight = 2;

}  // namespace

Buddy::Buddy(std::size_t unit_count)
    : state_(unit_count),
      newer_(unit_count),
      older_(unit_count),
      order_max_(order_for(unit_count)),
      free_units_(unit_count) {
  WHARF_CHECK(std::has_single_bit(unit_count), "an arena segment is a power of two of units");
  add(0, order_max_);
}

unsigned Buddy::order_for(std::size_t unit_count) noexcept {
  return unit_count <= 1 ? 0 : static_cast<unsigned>(std::bit_width(unit_count - 1));
}

void Buddy::add(std::uint32_t unit, unsigned order) noexcept {
  List& list = lists_[order];
  state_[unit] = static_cast<std::uint8_t>(kFree | kFirst | order);
  newer_[unit] = kNone;
  older_[unit] = list.newest;
  (list.newest != kNone ? newer_[list.newest] : list.oldest) = unit;
  list.newest = unit;
}

void Buddy::remove(std::uint32_t unit, unsigned order) noexcept {
  List& list = lists_[order];
  (newer_[unit] != kNone ? older_[newer_[unit]] : list.newest) = older_[unit];
  (older_[unit] != kNone ? newer_[older_[unit]] : list.oldest) = newer_[unit];
  state_[unit] = 0;
}

std::uint32_t Buddy::split_down(std::uint32_t unit, unsigned from, unsigned to) noexcept {
  while (from > to) {
    --from;
    add(unit + (std::uint32_t{1} << from), from);
  }
  state_[unit] = static_cast<std::uint8_t>(kFirst | to);
  return unit;
}

std::optional<std::uint32_t> Buddy::allocate(unsigned order) noexcept {
  const std::size_t wanted = std::size_t{1} << order;
  if (order > order_max_ || free_units_ < wanted) return std::nullopt;
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (unsigned from = order; from <= order_max_; ++from) {
      const List& list = lists_[from];
      if (list.newest == kNone) continue;
      const std::uint32_t unit = allocated_count_ < kFewInFlight ? list.newest : list.oldest;
      remove(unit, from);
      free_units_ -= wanted;
      ++allocated_count_;
      return split_down(unit, from, order);
    }
    join_all();
  }
  return std::nullopt;
}

std::size_t Buddy::free(std::uint32_t unit) noexcept {
  WHARF_CHECK(unit < state_.size() && (state_[unit] & (kFirst | kFree)) == kFirst,
              "a block was freed that is not allocated");
  const unsigned order = state_[unit] & kOrderMask;
  const std::size_t units = std::size_t{1} << order;
  free_units_ += units;
  --allocated_count_;
  add(unit, order);
  return units;
}

void Buddy::join_all() noexcept {
  for (unsigned order = 0; order < order_max_; ++order) {
    std::uint32_t unit = lists_[order].oldest;
    while (unit != kNone) {
      std::uint32_t next = newer_[unit];
      const std::uint32_t buddy = unit ^ (std::uint32_t{1} << order);
      if (state_[buddy] == (kFree | kFirst | order)) {
        if (next == buddy) next = newer_[buddy];
        remove(unit, order);
        remove(buddy, order);
        add(unit < buddy ? unit : buddy, order + 1);
      }
      unit = next;
    }
  }
}

}  // namespace wharf::shm
