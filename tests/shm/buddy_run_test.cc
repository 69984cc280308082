// Buddy's runs that are no powers of two: trimmed, grown and cut.
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/shm/buddy.h"

namespace wharf::shm {
namespace {

TEST(BuddyRunTest, ALongRunGivesBackWhatItDoesNotNeed) {
  Buddy buddy(16);

  ASSERT_EQ(buddy.allocate(10), 0U);

  EXPECT_EQ(buddy.units_of(0), 10U);
  EXPECT_EQ(buddy.free_units(), 6U);
  EXPECT_EQ(buddy.allocate(4), 12U);
  EXPECT_EQ(buddy.allocate(2), 10U);
  EXPECT_EQ(buddy.free(0), 10U);
}

TEST(BuddyRunTest, AFreedRunJoinsWithItsNeighboursAgain) {
  Buddy buddy(16);
  const std::uint32_t run = *buddy.allocate(11);
  const std::uint32_t behind = *buddy.allocate(4);

  buddy.free(run);
  buddy.free(behind);

  EXPECT_TRUE(buddy.whole());
  EXPECT_EQ(buddy.free_run_units_max(), 16U);
  EXPECT_EQ(buddy.allocate(16), 0U);
}

TEST(BuddyRunTest, GrowsIntoTheFreeMemoryBehind) {
  Buddy buddy(16);
  const std::uint32_t run = *buddy.allocate(2);

  EXPECT_EQ(buddy.grow(run, 3, 7), 5U);

  EXPECT_EQ(buddy.units_of(run), 7U);
  EXPECT_EQ(buddy.free_units(), 9U);
  EXPECT_EQ(buddy.free(run), 7U);
  EXPECT_EQ(buddy.allocate(16), 0U);
}

TEST(BuddyRunTest, GrowsOverNeighboursThatWereFreedAndNotJoined) {
  Buddy buddy(16);
  std::vector<std::uint32_t> units;
  while (auto unit = buddy.allocate(1)) units.push_back(*unit);
  for (std::uint32_t unit = 4; unit < 13; ++unit) buddy.free(unit);

  EXPECT_EQ(buddy.grow(3, 10, 10), 9U);

  EXPECT_EQ(buddy.units_of(3), 10U);
  EXPECT_EQ(buddy.free_units(), 0U);
}

TEST(BuddyRunTest, GrowsAsFarAsItGoesIfThatIsEnough) {
  Buddy buddy(16);
  std::vector<std::uint32_t> units;
  while (auto unit = buddy.allocate(2)) units.push_back(*unit);
  buddy.free(2);
  buddy.free(4);

  EXPECT_EQ(buddy.grow(0, 7, 8), 0U) << "it does not go so far, and nothing changes";
  EXPECT_EQ(buddy.units_of(0), 2U);
  EXPECT_EQ(buddy.free_units(), 4U);
  EXPECT_EQ(buddy.grow(0, 5, 8), 4U);

  EXPECT_EQ(buddy.units_of(0), 6U);
  EXPECT_EQ(buddy.grow(0, 0, 8), 0U) << "there is nothing left";
}

TEST(BuddyRunTest, GrowsToTheEndOfTheSegmentAndNoFurther) {
  Buddy buddy(16);
  std::vector<std::uint32_t> units;
  while (auto unit = buddy.allocate(4)) units.push_back(*unit);
  buddy.free(12);

  EXPECT_EQ(buddy.grow(8, 8, 1000), 4U);
  EXPECT_EQ(buddy.grow(8, 8, 1000), 0U);
  EXPECT_EQ(buddy.units_of(8), 8U);
}

TEST(BuddyRunTest, WhatIsCutOffIsFreeAtOnce) {
  Buddy buddy(16);
  const std::uint32_t run = *buddy.allocate(16);

  EXPECT_EQ(buddy.shrink(run, 5), 11U);

  EXPECT_EQ(buddy.allocate(8), 8U);
  EXPECT_EQ(buddy.allocate(2), 6U);
  EXPECT_EQ(buddy.allocate(1), 5U);
  EXPECT_EQ(buddy.shrink(run, 5), 0U);
  EXPECT_EQ(buddy.free(run), 5U);
}

TEST(BuddyRunTest, RandomRunsNeverOverlapAndEndWhole) {
  constexpr std::size_t kUnits = 512;
  std::mt19937_64 random(5);
  Buddy buddy(kUnits);
  std::vector<int> owner(kUnits, 0);
  std::vector<std::uint32_t> out;
  const auto mark = [&](std::size_t from, std::size_t to, int before, int after) {
    for (std::size_t unit = from; unit < to; ++unit) {
      ASSERT_EQ(owner[unit], before) << unit;
      owner[unit] = after;
    }
  };

  std::size_t taken = 0;
  for (int step = 0; step < 300'000; ++step) {
    const std::uint64_t what = random() % 8;
    if (out.empty() || what < 3) {
      const std::size_t count = 1 + random() % (random() % 8 == 0 ? 100 : 9);
      const std::optional<std::uint32_t> run = buddy.allocate(count);
      if (!run.has_value()) continue;
      mark(*run, *run + count, 0, static_cast<int>(*run) + 1);
      taken += count;
      out.push_back(*run);
      continue;
    }
    std::swap(out[random() % out.size()], out.back());
    const std::uint32_t run = out.back();
    const int self = static_cast<int>(run) + 1;
    const std::size_t units = buddy.units_of(run);
    if (what < 5) {
      const std::size_t least = units + random() % 8;
      const std::size_t added = buddy.grow(run, least, least + random() % 8);
      ASSERT_TRUE(added == 0 || units + added >= least);
      mark(run + units, run + units + added, 0, self);
      taken += added;
    } else if (what < 6) {
      const std::size_t kept = 1 + random() % units;
      ASSERT_EQ(buddy.shrink(run, kept), units - kept);
      mark(run + kept, run + units, self, 0);
      taken -= units - kept;
    } else {
      ASSERT_EQ(buddy.free(run), units);
      mark(run, run + units, self, 0);
      taken -= units;
      out.pop_back();
    }
    ASSERT_EQ(buddy.free_units(), kUnits - taken);
  }
  for (std::uint32_t run : out) buddy.free(run);

  EXPECT_TRUE(buddy.whole());
  EXPECT_EQ(buddy.free_run_units_max(), kUnits);
}

TEST(BuddyRunDeathTest, OnlyARunGrowsAndShrinks) {
  Buddy buddy(16);
  const std::uint32_t run = *buddy.allocate(4);

  EXPECT_DEATH(buddy.grow(run + 1, 1, 2), "a block was grown that is not allocated");
  EXPECT_DEATH(buddy.shrink(run, 5), "a block was cut to more than it has");
  EXPECT_DEATH(buddy.shrink(run, 0), "a block was cut to more than it has");
}

}  // namespace
}  // namespace wharf::shm
