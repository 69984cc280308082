#include "wharf/shm/lent_table.h"

#include "wharf/runtime/base/check.h"

namespace wharf::shm {

LentTable::LentTable(std::size_t slot_count, std::uint16_t first_generation)
    : slots_(slot_count), last_free_(static_cast<std::uint32_t>(slot_count - 1)) {
  WHARF_CHECK(slot_count > 0 && slot_count <= (std::size_t{1} << kSlotBits), "a token has 16 bits for its slot");
  for (std::uint32_t i = 0; i < slot_count; ++i) slots_[i] = Slot{{}, i + 1, first_generation, false};
}

std::uint32_t LentTable::lend(BlockId block) noexcept {
  WHARF_DCHECK(available() > 0, "every slot is lent");
  const std::uint32_t index = first_free_;
  Slot& slot = slots_[index];
  first_free_ = slot.next_free;
  ++slot.generation;  // wraps after 65536 uses of this slot: slots are used in turn, so that takes longest
  slot.block = block;
  slot.lent = true;
  ++lent_count_;
  return token_of(index);
}

const BlockId* LentTable::find(std::uint32_t token) const noexcept {
  const std::uint32_t index = slot_of(token);
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  return slot.lent && slot.generation == token >> kSlotBits ? &slot.block : nullptr;
}

BlockId LentTable::take_back(std::uint32_t token) noexcept {
  WHARF_CHECK(find(token) != nullptr, "a token was taken back that is not lent");
  const std::uint32_t index = slot_of(token);
  Slot& slot = slots_[index];
  slot.lent = false;
  slot.next_free = static_cast<std::uint32_t>(slots_.size());
  if (lent_count_ == slots_.size()) {
    first_free_ = index;
  } else {
    slots_[last_free_].next_free = index;
  }
  last_free_ = index;
  --lent_count_;
  return slot.block;
}

}  // namespace wharf::shm
