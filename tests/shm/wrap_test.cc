// Every counter of a lane begins just below where 16, 32 and 64 bits end, and passes it: nothing is lost, doubled or
// mistaken for something older.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wharf/shm/lane.h"
#include "wharf/shm/lent_table.h"
#include "wharf/tests/shm/lane_pair.h"

namespace wharf::shm {
namespace {

using test::LanePair;

// At the last value itself, too: then the first use wraps.
constexpr std::uint64_t kStarts[] = {0xffff - 30,
                                     0xffff,
                                     0xffff'ffff - 30,
                                     0xffff'ffff,
                                     std::numeric_limits<std::uint64_t>::max() - 30,
                                     std::numeric_limits<std::uint64_t>::max()};
constexpr int kRounds = 100;

LaneOptions from(std::uint64_t start) {
  LaneOptions options;
  options.first_position = start;
  return options;
}

RecordHeader header_of(RecordKind kind, std::uint64_t stream) {
  RecordHeader header{};
  header.kind = kind;
  header.flags = kFlagRequest;
  header.stream = stream;
  return header;
}

std::uint64_t push(Lane& lane, std::uint64_t stream) {
  const RecordHeader header = header_of(RecordKind::kMessage, stream);
  std::byte* record = lane.writer().reserve(1);
  EXPECT_NE(record, nullptr);
  std::memcpy(record, &header, sizeof(header));
  return lane.writer().commit();
}

class WrapTest : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(, WrapTest, ::testing::ValuesIn(kStarts),
                         [](const auto& value) { return "From" + std::to_string(value.param); });

TEST_P(WrapTest, WrapOfThePositionsLosesNoRecord) {
  LanePair lanes(from(GetParam()));
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    for (Lane* lane : {lanes.a.get(), lanes.b.get()}) {
      push(*lane, round);
      EXPECT_TRUE(lane->writer().publish());
    }
    for (Lane* lane : {lanes.a.get(), lanes.b.get()}) {
      RecordView record;
      EXPECT_TRUE(lane->reader().readable_before_sleep());
      ASSERT_EQ(lane->reader().peek(record), RingReader::Next::kRecord) << lane->reader().violation();
      EXPECT_EQ(record.header.stream, round);
      EXPECT_FALSE(lane->reader().claim_retracted());
      lane->reader().pop();
      EXPECT_TRUE(lane->reader().publish());
      ASSERT_EQ(lane->reader().peek(record), RingReader::Next::kEmpty);
      EXPECT_TRUE(lane->writer().refresh());
    }
  }
}

TEST_P(WrapTest, WrapOfThePositionsLeavesTheRingItsWholeSize) {
  LanePair lanes(from(GetParam()));
  const std::size_t cells = LaneOptions().ring_bytes / kCellBytes;
  for (std::uint64_t i = 0; i < cells; ++i) push(*lanes.a, i);
  EXPECT_EQ(lanes.a->writer().reserve(1), nullptr);
  lanes.a->writer().publish();

  for (std::uint64_t i = 0; i < cells; ++i) {
    RecordView record;
    ASSERT_EQ(lanes.b->reader().peek(record), RingReader::Next::kRecord);
    EXPECT_EQ(record.header.stream, i);
    lanes.b->reader().pop();
  }
  lanes.b->reader().publish();

  EXPECT_NE(lanes.a->writer().reserve(cells / 2), nullptr);
}

TEST_P(WrapTest, WrapOfClaimedDecidesEveryRetractionRight) {
  using Retraction = RingWriter::Retraction;
  LanePair lanes(from(GetParam()));
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t claimed = push(*lanes.a, 1);
    const std::uint64_t queued = push(*lanes.a, 2);
    lanes.a->writer().publish();
    RecordView record;
    ASSERT_EQ(lanes.b->reader().peek(record), RingReader::Next::kRecord);
    ASSERT_FALSE(lanes.b->reader().claim_retracted());

    EXPECT_EQ(lanes.a->writer().retract(claimed), Retraction::kClaimed);
    EXPECT_EQ(lanes.a->writer().retract(queued), Retraction::kRetracted);

    lanes.b->reader().pop();
    ASSERT_EQ(lanes.b->reader().peek(record), RingReader::Next::kRecord);
    EXPECT_EQ(record.header.stream, 2U);
    EXPECT_TRUE(lanes.b->reader().claim_retracted());
    lanes.b->reader().pop();
    lanes.b->reader().publish();
    ASSERT_TRUE(lanes.a->writer().refresh());
    EXPECT_EQ(lanes.a->writer().retract(queued), Retraction::kConsumed);
  }
}

TEST_P(WrapTest, WrapOfTheReleaseRingBringsEveryBlockHomeOnce) {
  LanePair lanes(from(GetParam()));
  for (int round = 0; round < kRounds; ++round) {
    const BlockDescriptor first = test::lend(*lanes.a, *lanes.b, "first");
    const BlockDescriptor second = test::lend(*lanes.a, *lanes.b, "second");
    EXPECT_EQ(test::view(*lanes.b, first), "first");

    lanes.b->release(second.token);
    lanes.b->release(first.token);
    EXPECT_TRUE(lanes.b->publish_releases());

    EXPECT_TRUE(lanes.a->collectable_before_sleep());
    EXPECT_EQ(lanes.a->collect(), 2U);
    EXPECT_FALSE(lanes.a->returned_too_much());
    EXPECT_EQ(lanes.a->arena().used_bytes(), 0U);
  }
}

TEST_P(WrapTest, WrapOfTheEpochRingsForEverySleepOnce) {
  LanePair lanes(from(GetParam()));
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_FALSE(lanes.b->ringer().must_ring(kWantMessages)) << "awake";
    lanes.a->sleeper().announce(kWantMessages, 0);

    EXPECT_TRUE(lanes.b->ringer().peer_rests());
    ASSERT_TRUE(lanes.b->ringer().must_ring(kWantMessages)) << round;
    lanes.b->ringer().rung();
    EXPECT_FALSE(lanes.b->ringer().must_ring(kWantMessages)) << "rung for already";
    EXPECT_FALSE(lanes.b->ringer().peer_rests());

    lanes.a->sleeper().wake(0);
  }
}

TEST(LentTableTest, WrapOfTheGenerationKeepsAnOldTokenForeign) {
  LentTable table(2, 0xfff0);
  std::set<std::uint32_t> tokens;
  for (std::uint32_t round = 0; round < 64; ++round) {
    const std::uint32_t token = table.lend(BlockId{0, round});

    ASSERT_TRUE(tokens.insert(token).second) << "used before, " << round;
    for (const std::uint32_t old : tokens) EXPECT_EQ(table.find(old) != nullptr, old == token);
    EXPECT_EQ(table.take_back(token).unit, round);
  }
}

}  // namespace
}  // namespace wharf::shm
