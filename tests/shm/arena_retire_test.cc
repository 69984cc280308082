// Segments that hold nothing go; their ids are never used again, their places are.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/shm/arena.h"
#include "wharf/shm/peer_arena.h"

namespace wharf::shm {
namespace {

constexpr std::size_t kKib = 1024;
constexpr std::size_t kFirstBytes = 256 * kKib;

OwnBlock allocate(Arena& arena, std::size_t bytes) {
  OwnBlock block;
  EXPECT_EQ(arena.allocate(bytes, block), Allocation::kOk);
  return block;
}

// Tells the peer everything that it is to know.
void announce(Arena& arena, PeerArena& peer) {
  for (std::vector<std::uint32_t>& retired = arena.retired(); !retired.empty(); retired.pop_back()) {
    EXPECT_EQ(peer.retire(retired.back()), nullptr);
  }
  while (Segment* segment = arena.unannounced()) {
    const Status status = peer.adopt(segment->take_fd());
    EXPECT_TRUE(status.ok()) << status.ToString();
    arena.announced();
  }
}

TEST(ArenaRetireTest, ASegmentGoesWhenItHasHeldNothingFromOneLookToTheNext) {
  Arena arena(1 << 20);
  const OwnBlock block = allocate(arena, 1000);
  EXPECT_FALSE(arena.has_idle());
  arena.free(block.id);
  EXPECT_TRUE(arena.has_idle());

  arena.retire_idle();
  EXPECT_EQ(arena.segment_count(), 1U) << "it was used a moment ago";
  arena.retire_idle();

  EXPECT_EQ(arena.segment_count(), 0U);
  EXPECT_EQ(arena.segment_bytes(), 0U);
  EXPECT_FALSE(arena.has_idle());
  EXPECT_TRUE(arena.retired().empty()) << "nobody knew of it";
}

TEST(ArenaRetireTest, ASegmentThatIsUsedBetweenTwoLooksStays) {
  Arena arena(1 << 20);
  for (int look = 0; look < 5; ++look) {
    arena.free(allocate(arena, 1000).id);
    arena.retire_idle();
  }

  EXPECT_EQ(arena.segment_count(), 1U);
}

TEST(ArenaRetireTest, ASegmentThatHoldsABlockStays) {
  Arena arena(1 << 20);
  const OwnBlock held = allocate(arena, kFirstBytes);
  arena.free(allocate(arena, kFirstBytes).id);

  for (int look = 0; look < 3; ++look) arena.retire_idle();

  EXPECT_EQ(arena.segment_count(), 1U);
  EXPECT_NE(arena.segment(held.id.segment), nullptr);
  EXPECT_EQ(arena.segment(held.id.segment + 1), nullptr);
  std::memset(held.data, 1, held.capacity_bytes);
}

TEST(ArenaRetireTest, IdsRiseForEverAndThePeerFollows) {
  Arena arena(kFirstBytes);
  PeerArena peer(kFirstBytes);
  std::uint32_t last = 0;
  for (int round = 0; round < 1000; ++round) {
    const OwnBlock block = allocate(arena, 1000);
    EXPECT_TRUE(round == 0 || block.id.segment > last);
    last = block.id.segment;
    announce(arena, peer);
    std::memcpy(block.data, &round, sizeof(round));
    std::span<const std::byte> bytes;
    ASSERT_TRUE(peer.view({1, block.id.segment, block.id.unit, sizeof(round)}, bytes));
    EXPECT_EQ(std::memcmp(bytes.data(), &round, sizeof(round)), 0);
    peer.end_view(block.id.segment);

    arena.free(block.id);
    for (int look = 0; look < 2; ++look) arena.retire_idle();
  }
  announce(arena, peer);

  EXPECT_EQ(last, 999U);
  EXPECT_EQ(peer.segment_count(), 0U);
  EXPECT_EQ(peer.segment_bytes(), 0U);
}

TEST(ArenaRetireTest, ASegmentThatStaysForeverIsSkippedWhenItsPlaceComesRound) {
  Arena arena(2 * kFirstBytes);
  PeerArena peer(2 * kFirstBytes);
  const OwnBlock held = allocate(arena, kFirstBytes);
  for (std::size_t round = 0; round < 2 * kSegmentCountMax; ++round) {
    const OwnBlock block = allocate(arena, kFirstBytes);
    EXPECT_NE(block.id.segment % kSegmentCountMax, held.id.segment);
    announce(arena, peer);
    arena.free(block.id);
    for (int look = 0; look < 2; ++look) arena.retire_idle();
  }

  EXPECT_NE(arena.segment(held.id.segment), nullptr);
  arena.free(held.id);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST(ArenaRetireTest, IdsThatAreUsedUpEndTheGrowthAndNothingElse) {
  for (const std::uint32_t start : {0xffffU, kSegmentIdEnd - 1}) {
    Arena arena(2 * kFirstBytes, false, start);
    const OwnBlock last = allocate(arena, kFirstBytes);
    OwnBlock none;

    EXPECT_EQ(last.id.segment, start);
    const Allocation next = arena.allocate(kFirstBytes, none);

    EXPECT_EQ(next, start == 0xffffU ? Allocation::kOk : Allocation::kFull);
  }
}

TEST(ArenaRetireTest, IdleSegmentsMakeRoomForALargerOne) {
  Arena arena(4 * kFirstBytes);
  std::vector<OwnBlock> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(allocate(arena, kFirstBytes));
  OwnBlock large;
  EXPECT_EQ(arena.allocate(2 * kFirstBytes + 1, large), Allocation::kFull) << "and not too large";
  for (int i = 0; i < 3; ++i) arena.free(blocks[i].id);
  EXPECT_EQ(arena.allocate(2 * kFirstBytes + 1, large), Allocation::kFull);

  arena.free(blocks[3].id);

  EXPECT_EQ(arena.allocate(2 * kFirstBytes + 1, large), Allocation::kOk);
  EXPECT_EQ(arena.segment_bytes(), 4 * kFirstBytes);
  EXPECT_EQ(arena.segment_count(), 1U);
}

TEST(ArenaRetireTest, ARefusalByTheKernelThatNoBlockCanMendIsSaid) {
  Arena arena(1 << 20);
  OwnBlock block;

  {
    const runtime::sys::FailureInjection injection(1, ENOMEM, runtime::sys::Call::kFallocate);
    EXPECT_EQ(arena.allocate(1, block), Allocation::kRefused);
  }

  EXPECT_EQ(arena.growth_error().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(arena.allocate(1, block), Allocation::kOk);
  EXPECT_EQ(arena.allocate(2 << 20, block), Allocation::kTooLarge);
}

TEST(ArenaRetireTest, HugePagesAreAskedForAndMayBeRefused) {
  namespace sys = runtime::sys;
  const std::uint64_t before = sys::counters().of(sys::Call::kMadvise);
  OwnBlock block;

  Arena plain(1 << 20);
  EXPECT_EQ(plain.allocate(1, block), Allocation::kOk);
  EXPECT_EQ(sys::counters().of(sys::Call::kMadvise), before);
  Arena huge(1 << 20, true);
  const sys::FailureInjection injection(1, EINVAL, sys::Call::kMadvise);
  EXPECT_EQ(huge.allocate(1, block), Allocation::kOk);

  EXPECT_TRUE(injection.fired());
  EXPECT_TRUE(huge.growth_error().ok());
}

}  // namespace
}  // namespace wharf::shm
