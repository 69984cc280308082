// The sizes of an arena's blocks, and how they change in place.
#include <cstddef>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/shm/arena.h"

namespace wharf::shm {
namespace {

constexpr std::size_t kKib = 1024;
constexpr std::size_t kMib = 1024 * kKib;

TEST(ArenaBlockTest, SizesArePowersOfTwoUpTo64KibAndFinerAbove) {
  EXPECT_EQ(Arena::block_bytes(0), 256U);
  EXPECT_EQ(Arena::block_bytes(257), 512U);
  EXPECT_EQ(Arena::block_bytes(33 * kKib), 64 * kKib);
  EXPECT_EQ(Arena::block_bytes(64 * kKib), 64 * kKib);
  EXPECT_EQ(Arena::block_bytes(64 * kKib + 1), 72 * kKib);
  EXPECT_EQ(Arena::block_bytes(5 * kMib), 5 * kMib);
  EXPECT_EQ(Arena::block_bytes(5 * kMib + 1), 5 * kMib + 512 * kKib);
  EXPECT_EQ(Arena::block_bytes(8 * kMib), 8 * kMib);
}

TEST(ArenaBlockTest, AtMostAnEighthOfALongBlockIsWasted) {
  for (std::size_t bytes = 64 * kKib + 1; bytes < 64 * kMib; bytes += bytes / 37) {
    const std::size_t got = Arena::block_bytes(bytes);
    EXPECT_GE(got, bytes);
    EXPECT_LE(got - bytes, got / 8) << bytes;
    EXPECT_EQ(got % kBlockUnitBytes, 0U);
  }
}

TEST(ArenaBlockTest, TheRestOfALongBlocksPowerOfTwoIsFree) {
  Arena arena(8 * kMib);
  OwnBlock five;
  OwnBlock two;
  OwnBlock one;

  ASSERT_EQ(arena.allocate(5 * kMib, five), Allocation::kOk);
  ASSERT_EQ(arena.allocate(2 * kMib, two), Allocation::kOk);
  ASSERT_EQ(arena.allocate(kMib, one), Allocation::kOk);

  EXPECT_EQ(arena.used_bytes(), 8 * kMib);
  EXPECT_EQ(arena.segment_count(), 1U);
  EXPECT_EQ(arena.block(five.id).capacity_bytes, 5 * kMib);
  for (const OwnBlock& block : {five, two, one}) arena.free(block.id);
  EXPECT_EQ(arena.used_bytes(), 0U);
  EXPECT_EQ(arena.free_block_bytes_max(), 8 * kMib);
}

TEST(ArenaBlockTest, ABlockGrowsInPlaceToASizeOfTheArena) {
  Arena arena(kMib);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(1000, block), Allocation::kOk);
  const OwnBlock before = block;

  ASSERT_TRUE(arena.grow(block, 100 * kKib, 100 * kKib));

  EXPECT_EQ(block.data, before.data);
  EXPECT_EQ(block.capacity_bytes, 104 * kKib);
  EXPECT_EQ(arena.used_bytes(), 104 * kKib);
  EXPECT_EQ(arena.block(block.id).capacity_bytes, 104 * kKib);
  std::memset(block.data, 1, block.capacity_bytes);
  arena.free(block.id);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST(ArenaBlockTest, ABlockGrowsAsFarAsItGoesOrNotAtAll) {
  Arena arena(256 * kKib);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(64 * kKib, block), Allocation::kOk);
  OwnBlock in_the_way;
  ASSERT_EQ(arena.allocate(128 * kKib, in_the_way), Allocation::kOk);

  EXPECT_FALSE(arena.grow(block, 256 * kKib, 128 * kKib + 1));
  EXPECT_EQ(block.capacity_bytes, 64 * kKib);
  EXPECT_TRUE(arena.grow(block, 256 * kKib, 100 * kKib));

  EXPECT_EQ(block.capacity_bytes, 128 * kKib);
  EXPECT_FALSE(arena.grow(block, 256 * kKib, 0)) << "there is nothing left";
  EXPECT_FALSE(arena.grow(block, ~std::size_t{0}, ~std::size_t{0}));
}

TEST(ArenaBlockTest, ABlockThatIsCutGivesBackWhatItsSizeWouldNotHave) {
  Arena arena(kMib);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(256 * kKib, block), Allocation::kOk);

  EXPECT_TRUE(arena.shrink(block, 70 * kKib));
  EXPECT_EQ(block.capacity_bytes, 72 * kKib);
  EXPECT_TRUE(arena.shrink(block, 5000));
  EXPECT_EQ(block.capacity_bytes, 8 * kKib);
  EXPECT_FALSE(arena.shrink(block, 5000));
  EXPECT_FALSE(arena.shrink(block, kMib));
  EXPECT_TRUE(arena.shrink(block, 0));

  EXPECT_EQ(arena.used_bytes(), kBlockUnitBytes);
  arena.free(block.id);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

}  // namespace
}  // namespace wharf::shm
