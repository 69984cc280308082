// Which blocks of our arena the peer holds. Private memory: what the peer says is believed only if it is written here.
//
// A token names a slot and its generation, so that a block returned twice, or never lent, is recognised.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wharf::shm {

// A block of our own arena.
struct BlockId {
  std::uint32_t segment = 0;
  std::uint32_t unit = 0;  // its first unit in the segment
};

class LentTable {
 public:
  // Units: at most `slot_count` blocks are lent at once, 1..65536. Generations go on from `first_generation`.
  explicit LentTable(std::size_t slot_count, std::uint16_t first_generation = 0);

  std::size_t lent_count() const noexcept { return lent_count_; }
  std::size_t available() const noexcept { return slots_.size() - lent_count_; }

  // Notes that `block` is lent and returns its token. Precondition: available() > 0.
  std::uint32_t lend(BlockId block) noexcept;
  // The block that `token` names, or null if it is not lent.
  const BlockId* find(std::uint32_t token) const noexcept;
  // The block has come back. Precondition: find(token) != null.
  BlockId take_back(std::uint32_t token) noexcept;
  // Takes back every block that is lent, calling each(BlockId): the peer is gone.
  template <class F>
  void take_back_all(F each) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].lent) each(take_back(token_of(i)));
    }
  }

 private:
  static constexpr std::uint32_t kSlotBits = 16;
  struct Slot {
    BlockId block;
    std::uint32_t next_free;
    std::uint16_t generation;
    bool lent;
  };
  static std::uint32_t slot_of(std::uint32_t token) noexcept { return token & ((1u << kSlotBits) - 1); }
  std::uint32_t token_of(std::uint32_t index) const noexcept {
    return index | (std::uint32_t{slots_[index].generation} << kSlotBits);
  }

  std::vector<Slot> slots_;
  std::uint32_t first_free_ = 0;
  std::uint32_t last_free_;
  std::size_t lent_count_ = 0;
};

}  // namespace wharf::shm
