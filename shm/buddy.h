// Buddy: which parts of one arena segment are free. Private memory only: nothing here is shared with the peer.
//
// Blocks are powers of two, from one unit to the segment; each lies at a multiple of its size. A freed block goes to the
// free list of its size as it is, and is joined with its neighbour only when an allocation finds nothing large enough:
// so the sizes that a program uses are found without work.
//
// Cost:    a few ns while a size has free blocks; a scan of the free lists when blocks have to be joined.
// Threads: one.
// Source:  the buddy system, Knuth, The Art of Computer Programming 1, 2.5; lazy joining, Lee and Barkley, 1989.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace wharf::shm {

class Buddy {
 public:
  // Units: `unit_count` is a power of two.
  explicit Buddy(std::size_t unit_count);

  // The smallest order whose blocks hold `unit_count` units.
  static unsigned order_for(std::size_t unit_count) noexcept;

  // A block of 2^order units: its first unit; nothing if there is none, even after joining. Reuses the block that was
  // freed last while few are out, and the one freed first while many are: see the .cc.
  std::optional<std::uint32_t> allocate(unsigned order) noexcept;
  // Returns the block's size in units.
  std::size_t free(std::uint32_t unit) noexcept;
  // The order of an allocated block, given its first unit.
  unsigned order_of(std::uint32_t unit) const noexcept { return state_[unit] & kOrderMask; }

  std::size_t unit_count() const noexcept { return state_.size(); }
  std::size_t free_units() const noexcept { return free_units_; }
  bool whole() const noexcept { return free_units_ == unit_count(); }

 private:
  static constexpr std::uint8_t kFree = 0x80;
  static constexpr std::uint8_t kFirst = 0x40;  // the unit is the first of a block
  static constexpr std::uint8_t kOrderMask = 0x3f;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr unsigned kOrderCount = 32;
  struct List {
    std::uint32_t oldest = kNone;
    std::uint32_t newest = kNone;
  };

  void add(std::uint32_t unit, unsigned order) noexcept;
  void remove(std::uint32_t unit, unsigned order) noexcept;
  std::uint32_t split_down(std::uint32_t unit, unsigned from, unsigned to) noexcept;
  void join_all() noexcept;

  std::vector<std::uint8_t> state_;  // of each unit; meaningful at the first unit of a block
  std::vector<std::uint32_t> newer_;
  std::vector<std::uint32_t> older_;
  std::array<List, kOrderCount> lists_;
  unsigned order_max_;
  std::size_t free_units_;
  std::uint32_t allocated_count_ = 0;
};

}  // namespace wharf::shm
