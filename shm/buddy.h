// Buddy: which parts of one arena segment are free. Private memory only: nothing here is shared with the peer.
//
// Free memory is kept in blocks of powers of two, from one unit to the segment; each lies at a multiple of its size. A
// run, which is what is allocated, starts as such a block; what a long run does not need of it is given back at once. A
// freed run goes to the free lists as the blocks that it consists of, and these are joined with their neighbours only when
// an allocation finds nothing large enough: so the sizes that a program uses are found without work.
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

  // A run of `unit_count` units: its first unit; nothing if no block is free that holds it, even after joining. Reuses the
  // block that was freed last while few are out, and the one freed first while many are: see the .cc.
  //
  // Units: at least 1.
  std::optional<std::uint32_t> allocate(std::size_t unit_count) noexcept;
  // Returns the run's length in units.
  std::size_t free(std::uint32_t unit) noexcept;
  // Makes the run at `unit` longer, into the free memory behind it: `most` units, or as many as there are if that is at
  // least `least`, else none. Returns how many were added.
  std::size_t grow(std::uint32_t unit, std::size_t least, std::size_t most) noexcept;
  // Cuts the run at `unit` to `unit_count`, which is 1 at least and no more than it has. Returns how many came back.
  std::size_t shrink(std::uint32_t unit, std::size_t unit_count) noexcept;

  // The length of the run that starts at `unit`.
  std::size_t units_of(std::uint32_t unit) const noexcept { return newer_[unit]; }

  std::size_t unit_count() const noexcept { return state_.size(); }
  std::size_t free_units() const noexcept { return free_units_; }
  bool whole() const noexcept { return free_units_ == unit_count(); }
  // The longest run that allocate() would give now. Cost: as a join.
  std::size_t free_run_units_max() noexcept;

 private:
  // What a unit is: inside a run or block, the first of a run, or the first of a free block of an order.
  static constexpr std::uint8_t kInside = 0;
  static constexpr std::uint8_t kRun = 0x40;
  static constexpr std::uint8_t kFree = 0x80;
  static constexpr std::uint8_t kOrderMask = 0x3f;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr unsigned kOrderCount = 32;
  struct List {
    std::uint32_t oldest = kNone;
    std::uint32_t newest = kNone;
  };

  bool is_run(std::uint32_t unit) const noexcept { return unit < state_.size() && state_[unit] == kRun; }
  bool is_free(std::size_t unit) const noexcept { return unit < state_.size() && (state_[unit] & kFree) != 0; }
  // Of a free block.
  std::size_t block_units(std::size_t unit) const noexcept { return std::size_t{1} << (state_[unit] & kOrderMask); }
  void add(std::uint32_t unit, unsigned order) noexcept;
  void add_blocks(std::size_t unit, std::size_t unit_count) noexcept;
  void remove(std::uint32_t unit, unsigned order) noexcept;
  std::uint32_t first_block(unsigned order) const noexcept;
  void join_all() noexcept;

  std::vector<std::uint8_t> state_;
  std::vector<std::uint32_t> newer_;  // of a free block: the next in its list; of a run: its length
  std::vector<std::uint32_t> older_;
  std::array<List, kOrderCount> lists_;
  unsigned order_max_;
  std::size_t free_units_;
  std::uint32_t run_count_ = 0;
};

}  // namespace wharf::shm
