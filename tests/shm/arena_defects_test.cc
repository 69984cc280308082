// Old defects of shared-memory port layers, by their numbers: what our arena and its peer do instead.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wharf/shm/arena.h"
#include "wharf/shm/peer_arena.h"
#include "wharf/tests/shm/control_pair.h"
#include "wharf/tests/shm/lane_pair.h"
#include "wharf/tests/support/fds.h"

namespace wharf::shm {
namespace {

using runtime::UniqueFd;
using ::testing::HasSubstr;

UniqueFd announced(std::uint32_t id, std::size_t bytes = 8192) {
  SegmentHeader header = test::good_header(SegmentKind::kArena, bytes);
  header.id = id;
  return test::make_memfd(header, {.bytes = bytes});
}

// Bytes of memfds that a hostile peer made and that this process has mapped.
std::size_t mapped_bytes() {
  std::ifstream maps("/proc/self/maps");
  std::size_t sum = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:hostile") == std::string::npos) continue;
    std::size_t from = 0;
    std::size_t to = 0;
    if (std::sscanf(line.c_str(), "%zx-%zx", &from, &to) == 2) sum += to - from;
  }
  return sum;
}

TEST(ArenaDefectTest, D15_ABlocksPlaceAndSizeAreChecked) {
  test::LanePair link;
  const BlockDescriptor lent = test::lend(*link.a, *link.b, "cargo");
  std::span<const std::byte> bytes;

  // The peer's, against its segment; ours that comes back as payload, against what was lent.
  for (const BlockDescriptor& wrong :
       {BlockDescriptor{lent.token, lent.segment, 1024, 1}, BlockDescriptor{lent.token, lent.segment, 1023, 257},
        BlockDescriptor{lent.token, lent.segment, 0xffff'ffff, 0xffff'ffff}}) {
    EXPECT_FALSE(link.b->peer_arena().view(wrong, bytes)) << wrong.offset_units;
    EXPECT_FALSE(link.a->take_returned(wrong).has_value()) << wrong.offset_units;
  }
  EXPECT_FALSE(link.a->take_returned({lent.token, lent.segment, lent.offset_units, 257}).has_value());
  EXPECT_FALSE(link.a->take_returned({lent.token + 1, lent.segment, lent.offset_units, 1}).has_value());
  EXPECT_TRUE(link.a->take_returned(lent).has_value());
}

TEST(ArenaDefectTest, D16_TheMappingIsAsLongAsTheFileAndIsUnmappedWhole) {
  {
    PeerArena peer(1 << 20);
    SegmentHeader lies = test::good_header(SegmentKind::kArena, 8192);
    lies.segment_bytes = 1 << 20;
    EXPECT_FALSE(peer.adopt(test::make_memfd(lies)).ok());
    EXPECT_EQ(mapped_bytes(), 0U);

    ASSERT_TRUE(peer.adopt(announced(0, 8192)).ok());
    ASSERT_TRUE(peer.adopt(announced(1, 40'960)).ok());
    EXPECT_EQ(mapped_bytes(), 49'152U);
    EXPECT_EQ(peer.retire(1), nullptr);
    EXPECT_EQ(mapped_bytes(), 8192U);
  }
  EXPECT_EQ(mapped_bytes(), 0U);
}

TEST(ArenaDefectTest, D17_ASegmentIdIsNoIndex) {
  PeerArena peer(1 << 20);
  ASSERT_TRUE(peer.adopt(announced(7)).ok());
  std::span<const std::byte> bytes;

  for (std::uint32_t id : {0U, 6U, 8U, 7U + 256U, 0x7fff'ffffU, 0x8000'0007U, 0xffff'ffffU}) {
    EXPECT_FALSE(peer.view({1, id, 0, 1}, bytes)) << id;
    EXPECT_NE(peer.retire(id), nullptr) << id;
  }
  EXPECT_TRUE(peer.view({1, 7, 0, 1}, bytes));
  peer.end_view(7);
}

TEST(ArenaDefectTest, D18_HolesInTheSegmentTableAreNoSegments) {
  PeerArena peer(1 << 20);
  for (std::uint32_t id : {1U, 4U, 5U, 9U}) ASSERT_TRUE(peer.adopt(announced(id)).ok());
  EXPECT_EQ(peer.retire(4), nullptr);
  std::span<const std::byte> bytes;

  for (std::uint32_t id = 0; id < 300; ++id) {
    const bool there = id == 1 || id == 5 || id == 9;
    ASSERT_EQ(peer.view({1, id, 0, 1}, bytes), there) << id;
    if (there) peer.end_view(id);
  }
}

TEST(ArenaDefectTest, D19_ASegmentIdComesOnce) {
  PeerArena peer(1 << 20);
  ASSERT_TRUE(peer.adopt(announced(3)).ok());
  EXPECT_THAT(peer.adopt(announced(3)).ToString(), HasSubstr("id is out of order"));
  EXPECT_EQ(peer.retire(3), nullptr);

  EXPECT_THAT(peer.adopt(announced(3)).ToString(), HasSubstr("id is out of order")) << "nor after it was retired";
  EXPECT_EQ(mapped_bytes(), 0U);
}

TEST(ArenaDefectTest, D21_ADescriptorListIsCountedAndLiesInsideItsRecord) {
  test::ControlPair pair;
  RingWriter writer(pair.own(0), pair.peer(0), test::ControlPair::kRingBytes);
  RingReader reader(pair.own(1), pair.peer(1), test::ControlPair::kRingBytes, 1024);
  std::byte* cell = writer.reserve(1);
  RecordHeader header{};
  header.kind = RecordKind::kMessage;
  header.block_count = 3;  // two fit the cell that was published
  std::memcpy(cell, &header, sizeof(header));
  writer.commit();
  writer.publish();
  RecordView record;

  EXPECT_EQ(reader.peek(record), RingReader::Next::kViolation);
  EXPECT_STREQ(reader.violation(), "record size");
}

TEST(ArenaDefectTest, D25_AControlSegmentMustHoldTheRingsThatItNames) {
  for (const std::uint32_t ring_bytes : {16U * 1024, 16U * 1024 * 1024}) {
    const Ref<Lane> lane = test::LanePair::make({}, nullptr);
    SegmentHeader header = test::good_header(SegmentKind::kControl, 16'384);
    header.ring_bytes = ring_bytes;
    header.release_slot_count = 256;

    const Status status = lane->attach(test::make_memfd(header, {.bytes = 16'384}));

    EXPECT_THAT(status.ToString(), HasSubstr("segment_bytes is too small for its rings")) << ring_bytes;
  }
}

TEST(ArenaDefectTest, D30_SegmentsHaveALimitAndADeadPeersBlocksComeBack) {
  test::LanePair link({.arena_bytes_max = 1 << 20});
  while (link.a->lent().available() > 0) {
    OwnBlock block;
    if (link.a->arena().allocate(64 * 1024, block) != Allocation::kOk) break;
    link.a->lend(block.id);
  }
  EXPECT_EQ(link.a->arena().segment_bytes(), std::size_t{1} << 20);
  EXPECT_EQ(link.a->lent().lent_count(), 16U);

  link.a->close();

  EXPECT_EQ(link.a->lent().lent_count(), 0U);
  EXPECT_EQ(link.a->arena().used_bytes(), 0U);
}

TEST(ArenaDefectTest, D43_RetiringASegmentMovesNoOther) {
  PeerArena peer(1 << 20);
  for (std::uint32_t id = 0; id < 8; ++id) ASSERT_TRUE(peer.adopt(announced(id)).ok());
  std::span<const std::byte> bytes;
  ASSERT_TRUE(peer.view({1, 7, 0, 100}, bytes));

  for (std::uint32_t id = 0; id < 8; ++id) EXPECT_EQ(peer.retire(id), nullptr);

  EXPECT_EQ(peer.segment_count(), 1U) << "the one that is looked at";
  EXPECT_EQ(bytes[99], std::byte{0});
  EXPECT_THAT(peer.adopt(announced(7 + 256)).ToString(), HasSubstr("id has the place"));
  peer.end_view(7);
  EXPECT_EQ(peer.segment_count(), 0U);
  EXPECT_TRUE(peer.adopt(announced(7 + 256)).ok());
}

TEST(ArenaDefectTest, D46_AFreedBlockIsNotOverwrittenInProduction) {
  const Ref<Lane> lane = test::LanePair::make({}, nullptr);
  const OwnBlock block = test::fill_block(*lane, std::string(64 * 1024, 'x'));

  lane->free(block.id);

#ifdef NDEBUG
  EXPECT_EQ(block.data[0], std::byte{'x'});
#else
  EXPECT_NE(block.data[0], std::byte{'x'}) << "debug builds show a use after the release";
#endif
  EXPECT_EQ(block.data[kBlockUnitBytes], std::byte{'x'}) << "and even they do not write it all";
  lane->close();
}

}  // namespace
}  // namespace wharf::shm
