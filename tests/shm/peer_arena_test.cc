#include "wharf/shm/peer_arena.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wharf/shm/arena.h"
#include "wharf/tests/support/fds.h"

namespace wharf::shm {
namespace {

using runtime::UniqueFd;
using ::testing::HasSubstr;

constexpr std::size_t kKib = 1024;

// What a hostile or careless peer announces.
UniqueFd announced(std::uint32_t id, std::size_t bytes) {
  SegmentHeader header = test::good_header(SegmentKind::kArena, bytes);
  header.id = id;
  return test::make_memfd(header, {.bytes = bytes});
}

TEST(PeerArenaTest, ViewsWhatItsOwnerWrote) {
  Arena arena(1 << 20);
  PeerArena peer(1 << 20);
  OwnBlock block;
  ASSERT_EQ(arena.allocate(1000, block), Allocation::kOk);
  ASSERT_EQ(arena.allocate(1000, block), Allocation::kOk);
  ASSERT_TRUE(peer.adopt(arena.segment(0)->take_fd()).ok());
  std::memcpy(block.data, "cargo", 5);
  std::span<const std::byte> bytes;

  ASSERT_TRUE(peer.view({1, block.id.segment, block.id.unit, 5}, bytes));

  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "cargo");
}

TEST(PeerArenaTest, RefusesADescriptorThatLiesOutsideEverySegment) {
  PeerArena peer(1 << 20);
  std::span<const std::byte> bytes;
  EXPECT_FALSE(peer.view({0, 0, 0, 0}, bytes));
  ASSERT_TRUE(peer.adopt(announced(0, 12'288)).ok());  // 8 KiB of payload: 32 units

  EXPECT_TRUE(peer.view({0, 0, 0, 8192}, bytes));
  EXPECT_TRUE(peer.view({0, 0, 31, 256}, bytes));
  EXPECT_TRUE(peer.view({0, 0, 32, 0}, bytes));
  for (const BlockDescriptor& wrong : {
           BlockDescriptor{0, 0, 0, 8193},
           BlockDescriptor{0, 0, 31, 257},
           BlockDescriptor{0, 0, 32, 1},
           BlockDescriptor{0, 0, 33, 0},
           BlockDescriptor{0, 0, 0, 0xffff'ffff},
           BlockDescriptor{0, 0, 0xffff'ffff, 0xffff'ffff},
           BlockDescriptor{0, 1, 0, 1},
           BlockDescriptor{0, 0xffff'ffff, 0, 1},
           BlockDescriptor{0, kReturnedBit, 0, 1},
       }) {
    EXPECT_FALSE(peer.view(wrong, bytes)) << wrong.segment << ", " << wrong.offset_units << ", " << wrong.bytes;
  }
}

TEST(PeerArenaTest, RefusesSegmentsThatAreOutOfOrderOrSeenBefore) {
  PeerArena peer(1 << 20);

  EXPECT_TRUE(peer.adopt(announced(0, 8192)).ok());
  EXPECT_TRUE(peer.adopt(announced(2, 8192)).ok());
  for (std::uint32_t id : {0U, 1U, 2U, kSegmentIdEnd, 0xffff'ffffU}) {
    EXPECT_THAT(peer.adopt(announced(id, 8192)).ToString(), HasSubstr("id is out of order")) << id;
  }
  EXPECT_TRUE(peer.adopt(announced(3, 8192)).ok());
}

TEST(PeerArenaTest, RefusesASegmentWithoutRoomForABlock) {
  PeerArena peer(1 << 20);

  EXPECT_THAT(peer.adopt(announced(0, 4096)).ToString(), HasSubstr("no room for a block"));
}

TEST(PeerArenaTest, RefusesMoreBytesThanItsLimitOverAllSegments) {
  PeerArena peer(16 * kKib);

  EXPECT_TRUE(peer.adopt(announced(0, 4096 + 8192)).ok());
  EXPECT_THAT(peer.adopt(announced(1, 4096 + 12'288)).ToString(), HasSubstr("beyond the limit"));
  EXPECT_TRUE(peer.adopt(announced(1, 4096 + 8192)).ok());
  EXPECT_FALSE(peer.adopt(announced(2, 8192)).ok());
}

TEST(PeerArenaTest, MayHaveNoLimitAtAll) {
  PeerArena peer(SIZE_MAX);

  EXPECT_TRUE(peer.adopt(announced(0, 8192)).ok());
  EXPECT_TRUE(peer.adopt(announced(1, 8192)).ok());
}

TEST(PeerArenaTest, RefusesMoreSegmentsThanItsLimit) {
  PeerArena peer(std::size_t{1} << 30);
  for (std::uint32_t id = 0; id < kSegmentCountMax; ++id) {
    ASSERT_TRUE(peer.adopt(announced(id, 8192)).ok());
  }
  const std::size_t fds = test::open_fd_count();

  const Status status = peer.adopt(announced(kSegmentCountMax, 8192));

  EXPECT_THAT(status.ToString(), HasSubstr("announced too many"));
  EXPECT_EQ(test::open_fd_count(), fds);
}

TEST(PeerArenaTest, RefusesAControlSegment) {
  PeerArena peer(1 << 20);

  EXPECT_THAT(peer.adopt(test::make_memfd(test::good_header(SegmentKind::kControl, 8192))).ToString(),
              HasSubstr("kind"));
}

}  // namespace
}  // namespace wharf::shm
