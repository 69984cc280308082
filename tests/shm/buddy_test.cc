#include "wharf/shm/buddy.h"

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::shm {
namespace {

// What a Buddy should think: which units are allocated.
class Model {
 public:
  explicit Model(std::size_t unit_count) : taken_(unit_count) {}

  bool free_run(std::size_t unit, std::size_t count) const {
    for (std::size_t i = unit; i < unit + count; ++i) {
      if (taken_[i]) return false;
    }
    return true;
  }
  // Whether an aligned run of 2^order units is free.
  bool can_allocate(unsigned order) const {
    const std::size_t count = std::size_t{1} << order;
    for (std::size_t unit = 0; unit + count <= taken_.size(); unit += count) {
      if (free_run(unit, count)) return true;
    }
    return false;
  }
  void mark(std::size_t unit, std::size_t count, bool taken) {
    for (std::size_t i = unit; i < unit + count; ++i) taken_[i] = taken;
    free_units_ += taken ? -count : count;
  }
  std::size_t free_units() const { return free_units_; }

 private:
  std::vector<bool> taken_;
  std::size_t free_units_ = taken_.size();
};

TEST(BuddyTest, AnOrderHoldsAsManyUnitsAsAsked) {
  EXPECT_EQ(Buddy::order_for(0), 0U);
  EXPECT_EQ(Buddy::order_for(1), 0U);
  EXPECT_EQ(Buddy::order_for(2), 1U);
  EXPECT_EQ(Buddy::order_for(3), 2U);
  EXPECT_EQ(Buddy::order_for(4), 2U);
  EXPECT_EQ(Buddy::order_for(5), 3U);
  EXPECT_EQ(Buddy::order_for((std::size_t{1} << 24) + 1), 25U);
}

TEST(BuddyTest, AllocatesTheWholeAndNothingBeyond) {
  Buddy buddy(16);

  EXPECT_EQ(buddy.allocate(16), 0U);

  EXPECT_EQ(buddy.free_units(), 0U);
  EXPECT_EQ(buddy.allocate(1), std::nullopt);
  EXPECT_EQ(buddy.units_of(0), 16U);
  EXPECT_EQ(buddy.free(0), 16U);
  EXPECT_TRUE(buddy.whole());
}

TEST(BuddyTest, RefusesABlockLargerThanTheWhole) {
  Buddy buddy(16);

  EXPECT_EQ(buddy.allocate(17), std::nullopt);
  EXPECT_EQ(buddy.allocate(std::size_t{1} << 31), std::nullopt);
  EXPECT_TRUE(buddy.whole());
}

TEST(BuddyTest, ASingleUnitCanBeUsed) {
  Buddy buddy(1);

  EXPECT_EQ(buddy.allocate(1), 0U);
  EXPECT_EQ(buddy.allocate(1), std::nullopt);
  EXPECT_EQ(buddy.free(0), 1U);
  EXPECT_TRUE(buddy.whole());
}

TEST(BuddyTest, FreedBlocksAreJoinedWhenALargerOneIsWanted) {
  Buddy buddy(64);
  std::vector<std::uint32_t> units;
  while (auto unit = buddy.allocate(1)) units.push_back(*unit);
  ASSERT_EQ(units.size(), 64U);
  for (std::size_t i = 0; i < units.size(); i += 2) buddy.free(units[i]);
  for (std::size_t i = 1; i < units.size(); i += 2) buddy.free(units[i]);

  EXPECT_EQ(buddy.allocate(64), 0U);
}

TEST(BuddyTest, BlocksThatAreNoBuddiesAreNotJoined) {
  Buddy buddy(4);
  std::vector<std::uint32_t> units;
  while (auto unit = buddy.allocate(1)) units.push_back(*unit);
  buddy.free(1);
  buddy.free(2);

  EXPECT_EQ(buddy.free_units(), 2U);
  EXPECT_EQ(buddy.allocate(2), std::nullopt);

  buddy.free(3);
  EXPECT_EQ(buddy.allocate(2), 2U);
}

TEST(BuddyTest, WithFewBlocksOutTheOneFreedLastIsUsedAgain) {
  Buddy buddy(64);
  const std::uint32_t first = *buddy.allocate(1);
  const std::uint32_t second = *buddy.allocate(1);
  const std::uint32_t third = *buddy.allocate(1);
  buddy.free(second);
  buddy.free(third);
  buddy.free(first);

  EXPECT_EQ(buddy.allocate(1), first);
  EXPECT_EQ(buddy.allocate(1), third);
}

TEST(BuddyTest, WithManyBlocksOutTheOneFreedFirstIsUsedAgain) {
  Buddy buddy(8);
  std::vector<std::uint32_t> units;
  while (auto unit = buddy.allocate(1)) units.push_back(*unit);
  buddy.free(units[5]);
  buddy.free(units[2]);
  buddy.free(units[7]);

  EXPECT_EQ(buddy.allocate(1), units[5]);
  EXPECT_EQ(buddy.allocate(1), units[2]);
  EXPECT_EQ(buddy.allocate(1), units[7]);
}

TEST(BuddyTest, AMillionRandomStepsAgreeWithAModelAndEndWhole) {
  constexpr std::size_t kUnits = 1024;
  constexpr int kSteps = 1'000'000;
  std::mt19937_64 random(20'240'607);
  Buddy buddy(kUnits);
  Model model(kUnits);
  std::vector<std::uint32_t> out;
  std::uint64_t refused = 0;

  for (int step = 0; step < kSteps; ++step) {
    const bool filling = (step / 4096) % 2 == 0;
    const bool allocates = out.empty() || random() % 8 < (filling ? 5U : 3U);
    if (allocates) {
      const unsigned order = static_cast<unsigned>(random() % 7 * (random() % 7) / 4);
      const std::size_t count = std::size_t{1} << order;
      const std::optional<std::uint32_t> unit = buddy.allocate(count);
      if (!unit.has_value()) {
        ASSERT_FALSE(model.can_allocate(order)) << "order " << order << " at step " << step;
        ++refused;
        continue;
      }
      ASSERT_EQ(*unit % count, 0U);
      ASSERT_LE(*unit + count, kUnits);
      ASSERT_TRUE(model.free_run(*unit, count)) << "unit " << *unit << " at step " << step;
      ASSERT_EQ(buddy.units_of(*unit), count);
      model.mark(*unit, count, true);
      out.push_back(*unit);
    } else {
      const std::size_t index = random() % out.size();
      const std::uint32_t unit = out[index];
      out[index] = out.back();
      out.pop_back();
      model.mark(unit, buddy.free(unit), false);
    }
    ASSERT_EQ(buddy.free_units(), model.free_units());
  }
  for (std::uint32_t unit : out) buddy.free(unit);

  EXPECT_GT(refused, 1'000U) << "the workload never filled the segment";
  EXPECT_TRUE(buddy.whole());
  EXPECT_EQ(buddy.allocate(1024), 0U);
}

TEST(BuddyDeathTest, ABlockThatIsFreedTwiceAborts) {
  Buddy buddy(16);
  const std::uint32_t unit = *buddy.allocate(2);
  buddy.free(unit);

  EXPECT_DEATH(buddy.free(unit), "a block was freed that is not allocated");
}

TEST(BuddyDeathTest, TheMiddleOfABlockIsNoBlock) {
  Buddy buddy(16);
  const std::uint32_t unit = *buddy.allocate(4);

  EXPECT_DEATH(buddy.free(unit + 1), "a block was freed that is not allocated");
}

TEST(BuddyDeathTest, AUnitBeyondTheEndAborts) {
  Buddy buddy(16);

  EXPECT_DEATH(buddy.free(16), "a block was freed that is not allocated");
}

TEST(BuddyDeathTest, ASizeThatIsNoPowerOfTwoAborts) {
  EXPECT_DEATH(Buddy(12), "an arena segment is a power of two of units");
  EXPECT_DEATH(Buddy(0), "an arena segment is a power of two of units");
}

}  // namespace
}  // namespace wharf::shm
