#include "wharf/shm/buddy.h"

#include <algorithm>
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
  state_[unit] = static_cast<std::uint8_t>(kFree | order);
  newer_[unit] = kNone;
  older_[unit] = list.newest;
  (list.newest != kNone ? newer_[list.newest] : list.oldest) = unit;
  list.newest = unit;
}

// Adds `unit_count` units from `unit` on, as the largest blocks that fit their places.
void Buddy::add_blocks(std::size_t unit, std::size_t unit_count) noexcept {
  while (unit_count != 0) {
    const unsigned order_of_place = unit == 0 ? order_max_ : static_cast<unsigned>(std::countr_zero(unit));
    const unsigned order = std::min(order_of_place, static_cast<unsigned>(std::bit_width(unit_count)) - 1);
    add(static_cast<std::uint32_t>(unit), order);
    unit += std::size_t{1} << order;
    unit_count -= std::size_t{1} << order;
  }
}

void Buddy::remove(std::uint32_t unit, unsigned order) noexcept {
  List& list = lists_[order];
  (newer_[unit] != kNone ? older_[newer_[unit]] : list.newest) = older_[unit];
  (older_[unit] != kNone ? newer_[older_[unit]] : list.oldest) = newer_[unit];
  state_[unit] = kInside;
}

std::uint32_t Buddy::first_block(unsigned order) const noexcept {
  return run_count_ < kFewInFlight ? lists_[order].newest : lists_[order].oldest;
}

std::optional<std::uint32_t> Buddy::allocate(std::size_t unit_count) noexcept {
  const unsigned order = order_for(unit_count);
  const std::size_t block_units = std::size_t{1} << order;
  if (order > order_max_ || free_units_ < block_units) return std::nullopt;
  for (int attempt = 0; attempt < 2; ++attempt) {
    for (unsigned from = order; from <= order_max_; ++from) {
      const std::uint32_t unit = first_block(from);
      if (unit == kNone) continue;
      remove(unit, from);
      while (from > order) {
        --from;
        add(unit + (std::uint32_t{1} << from), from);
      }
      if (unit_count != block_units) add_blocks(unit + unit_count, block_units - unit_count);
      state_[unit] = kRun;
      newer_[unit] = static_cast<std::uint32_t>(unit_count);
      free_units_ -= unit_count;
      ++run_count_;
      return unit;
    }
    join_all();
  }
  return std::nullopt;
}

std::size_t Buddy::free(std::uint32_t unit) noexcept {
  WHARF_CHECK(is_run(unit), "a block was freed that is not allocated");
  const std::size_t unit_count = units_of(unit);
  free_units_ += unit_count;
  --run_count_;
  state_[unit] = kInside;
  add_blocks(unit, unit_count);
  return unit_count;
}

std::size_t Buddy::grow(std::uint32_t unit, std::size_t least, std::size_t most) noexcept {
  WHARF_CHECK(is_run(unit), "a block was grown that is not allocated");
  const std::size_t unit_count = units_of(unit);
  std::size_t reach = unit + unit_count;
  // Free neighbours that have not been joined yet follow one another, so they need no joining here.
  while (reach < unit + most && is_free(reach)) reach += block_units(reach);
  const std::size_t grown_count = std::min(reach - unit, most);
  if (grown_count < least || grown_count <= unit_count) return 0;
  std::size_t end = unit + unit_count;
  while (end < unit + grown_count) {
    const std::size_t units = block_units(end);
    remove(static_cast<std::uint32_t>(end), state_[end] & kOrderMask);
    end += units;
  }
  add_blocks(unit + grown_count, end - (unit + grown_count));
  newer_[unit] = static_cast<std::uint32_t>(grown_count);
  free_units_ -= grown_count - unit_count;
  return grown_count - unit_count;
}

std::size_t Buddy::shrink(std::uint32_t unit, std::size_t unit_count) noexcept {
  WHARF_CHECK(is_run(unit) && unit_count > 0 && unit_count <= units_of(unit), "a block was cut to more than it has");
  const std::size_t cut_count = units_of(unit) - unit_count;
  add_blocks(unit + unit_count, cut_count);
  newer_[unit] = static_cast<std::uint32_t>(unit_count);
  free_units_ += cut_count;
  return cut_count;
}

std::size_t Buddy::free_run_units_max() noexcept {
  join_all();
  for (unsigned order = order_max_ + 1; order-- > 0;) {
    if (lists_[order].newest != kNone) return std::size_t{1} << order;
  }
  return 0;
}

void Buddy::join_all() noexcept {
  for (unsigned order = 0; order < order_max_; ++order) {
    std::uint32_t unit = lists_[order].oldest;
    while (unit != kNone) {
      std::uint32_t next = newer_[unit];
      const std::uint32_t buddy = unit ^ (std::uint32_t{1} << order);
      if (state_[buddy] == (kFree | order)) {
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
