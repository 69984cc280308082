#include "wharf/shm/arena.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/support/fds.h"

namespace wharf::shm {
namespace {

using runtime::UniqueFd;
using ::testing::HasSubstr;

constexpr std::size_t kKib = 1024;
constexpr std::size_t kFirstBytes = 256 * kKib;

// Allocates until the arena refuses; returns the blocks.
std::vector<OwnBlock> exhaust(Arena& arena, std::size_t bytes) {
  std::vector<OwnBlock> blocks;
  OwnBlock block;
  while (arena.allocate(bytes, block) == Allocation::kOk) blocks.push_back(block);
  return blocks;
}

TEST(ArenaTest, HasNoSegmentUntilItIsUsed) {
  Arena arena(1 << 20);

  EXPECT_EQ(arena.segment_count(), 0U);
  EXPECT_EQ(arena.segment_bytes(), 0U);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST(ArenaTest, ABlockIsWritableAndHoldsAtLeastWhatWasAsked) {
  Arena arena(1 << 20);
  OwnBlock block;

  ASSERT_EQ(arena.allocate(5000, block), Allocation::kOk);
  std::memset(block.data, 1, block.capacity_bytes);

  EXPECT_EQ(block.capacity_bytes, 8 * kKib);
  EXPECT_EQ(arena.used_bytes(), 8 * kKib);
  EXPECT_EQ(block.data, arena.segment(0)->data() + kArenaDataOffset + block.id.unit * kBlockUnitBytes);
  EXPECT_EQ(arena.block(block.id).data, block.data);
  EXPECT_EQ(arena.block(block.id).capacity_bytes, block.capacity_bytes);
}

TEST(ArenaTest, NoBytesStillGiveABlock) {
  Arena arena(1 << 20);
  OwnBlock block;

  ASSERT_EQ(arena.allocate(0, block), Allocation::kOk);

  EXPECT_EQ(block.capacity_bytes, kBlockUnitBytes);
}

TEST(ArenaTest, GrowsByDoublingUpToItsLimit) {
  Arena arena(4 << 20);
  std::vector<std::size_t> sizes;
  OwnBlock block;

  while (arena.allocate(64 * kKib, block) == Allocation::kOk) {
    if (sizes.empty() || sizes.back() != arena.segment_bytes()) sizes.push_back(arena.segment_bytes());
  }

  EXPECT_EQ(sizes, (std::vector<std::size_t>{256 * kKib, 512 * kKib, 1024 * kKib, 2048 * kKib, 4096 * kKib}));
  EXPECT_EQ(arena.used_bytes(), std::size_t{4} << 20);
  EXPECT_TRUE(arena.growth_error().ok());
}

TEST(ArenaTest, StaysWithinALimitThatIsNoPowerOfTwo) {
  Arena arena(1000 * kKib);

  exhaust(arena, kKib);

  EXPECT_LE(arena.segment_bytes(), 1000 * kKib);
  EXPECT_GE(arena.segment_bytes(), 992 * kKib);
}

TEST(ArenaTest, SegmentsAreNumberedInOrder) {
  Arena arena(1 << 20);

  exhaust(arena, 64 * kKib);

  ASSERT_EQ(arena.segment_count(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    SegmentHeader header;
    std::memcpy(&header, arena.segment(i)->data(), sizeof(header));
    EXPECT_EQ(header.id, i);
    EXPECT_EQ(header.kind, SegmentKind::kArena);
  }
}

TEST(ArenaTest, AFullArenaSaysFullUntilABlockComesBack) {
  Arena arena(kFirstBytes);
  const std::vector<OwnBlock> blocks = exhaust(arena, 64 * kKib);
  ASSERT_EQ(blocks.size(), 4U);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(64 * kKib, block), Allocation::kFull);

  arena.free(blocks[2].id);

  EXPECT_EQ(arena.allocate(64 * kKib, block), Allocation::kOk);
  EXPECT_EQ(block.data, blocks[2].data);
}

TEST(ArenaTest, WhatCanNeverFitIsTooLarge) {
  Arena arena(kFirstBytes);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(1, block), Allocation::kOk);

  EXPECT_EQ(arena.allocate(kFirstBytes, block), Allocation::kFull);
  EXPECT_EQ(arena.allocate(kFirstBytes + 1, block), Allocation::kTooLarge);
  EXPECT_EQ(arena.allocate(~std::size_t{0}, block), Allocation::kTooLarge);
}

TEST(ArenaTest, WhatFitsTheLimitButNoSegmentIsTooLarge) {
  Arena arena(kFirstBytes + 64 * kKib);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(1, block), Allocation::kOk);

  EXPECT_EQ(arena.allocate(kFirstBytes + 1, block), Allocation::kTooLarge);
}

TEST(ArenaTest, OneThatIsTurnedOffGivesNothing) {
  Arena arena(0);
  OwnBlock block;

  EXPECT_EQ(arena.allocate(0, block), Allocation::kTooLarge);
  EXPECT_EQ(arena.allocate(1, block), Allocation::kTooLarge);
  EXPECT_EQ(arena.segment_count(), 0U);
}

TEST(ArenaTest, ALimitBelowOneBlockGivesNothing) {
  Arena arena(kBlockUnitBytes - 1);
  OwnBlock block;

  EXPECT_EQ(arena.allocate(1, block), Allocation::kTooLarge);
}

TEST(ArenaTest, ABlockBeyondWhatADescriptorCanNameIsTooLarge) {
  Arena arena(std::size_t{64} << 30);
  const runtime::sys::FailureInjection injection(1, ENOMEM);
  OwnBlock block;

  EXPECT_EQ(arena.allocate(kArenaSegmentBytesMax, block), Allocation::kTooLarge);
  EXPECT_FALSE(injection.fired()) << "the kernel was asked for it";
}

TEST(ArenaTest, ARefusalOfTheKernelIsKeptAndBlocksInUseAreWaitedFor) {
  Arena arena(1 << 20);
  const std::vector<OwnBlock> blocks = [&] {
    OwnBlock block;
    EXPECT_EQ(arena.allocate(kFirstBytes, block), Allocation::kOk);
    return std::vector<OwnBlock>{block};
  }();
  OwnBlock block;

  {
    const runtime::sys::FailureInjection injection(1, ENFILE);
    EXPECT_EQ(arena.allocate(1, block), Allocation::kFull);
  }

  EXPECT_EQ(arena.growth_error().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(arena.used_bytes(), kFirstBytes);
  arena.free(blocks[0].id);
  EXPECT_EQ(arena.allocate(1, block), Allocation::kOk);
}

TEST(ArenaTest, RandomBlocksDoNotOverlapAndAllComeBack) {
  constexpr std::size_t kLimit = 4 << 20;
  std::mt19937_64 random(99);
  Arena arena(kLimit);
  std::vector<std::pair<OwnBlock, std::byte>> out;
  std::uint64_t full = 0;

  for (int step = 0; step < 100'000; ++step) {
    if (out.empty() || random() % 16 < 9) {
      OwnBlock block;
      const Allocation outcome = arena.allocate(random() % (random() % 64 == 0 ? 300'000 : 9'000), block);
      full += outcome == Allocation::kFull ? 1 : 0;
      ASSERT_NE(outcome, Allocation::kTooLarge);
      if (outcome != Allocation::kOk) continue;
      const auto mark = static_cast<std::byte>(random());
      block.data[0] = block.data[block.capacity_bytes - 1] = mark;
      out.emplace_back(block, mark);
    } else {
      std::swap(out[random() % out.size()], out.back());
      const auto& [block, mark] = out.back();
      ASSERT_EQ(block.data[0], mark);
      ASSERT_EQ(block.data[block.capacity_bytes - 1], mark);
      arena.free(block.id);
      out.pop_back();
    }
    ASSERT_LE(arena.used_bytes(), arena.segment_bytes());
    ASSERT_LE(arena.segment_bytes(), kLimit);
  }
  for (const auto& [block, mark] : out) arena.free(block.id);

  EXPECT_GT(full, 100U) << "the arena was never full";
  EXPECT_EQ(arena.used_bytes(), 0U);
}

}  // namespace
}  // namespace wharf::shm
