#include "wharf/shm/lane.h"

#include <cerrno>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/shm/lane_pair.h"
#include "wharf/tests/support/fds.h"

namespace wharf::shm {
namespace {

using runtime::UniqueFd;
using test::LanePair;
using test::lend;
using test::view;
using ::testing::HasSubstr;

void give_back(Lane& lane, std::uint32_t token) {
  lane.release(token);
  lane.publish_releases();
}

TEST(LaneTest, OptionsOutOfRangeAreNamed) {
  EXPECT_TRUE(check_options({}).ok());
  for (std::size_t bytes : {std::size_t{0}, std::size_t{8192}, std::size_t{20'000}, std::size_t{32} << 20}) {
    EXPECT_THAT(check_options({.ring_bytes = bytes}).ToString(), HasSubstr("ring_bytes"));
  }
  for (std::size_t count : {0, 128, 300, 131'072}) {
    EXPECT_THAT(check_options({.release_slot_count = count}).ToString(), HasSubstr("release_slot_count"));
  }
  EXPECT_THAT(check_options({.inline_bytes_max = 2049}).ToString(), HasSubstr("inline_bytes_max"));
  EXPECT_EQ(Lane::create({.ring_bytes = 1}, nullptr).status().code(), StatusCode::kInvalidArgument);
}

TEST(LaneTest, AnIdleLinkTakesNoMoreThan64KiBOnBothSidesTogether) {
  const LanePair link;

  EXPECT_LE(link.a->control_bytes() + link.b->control_bytes(), 64U * 1024);
  EXPECT_EQ(link.a->arena().segment_bytes(), 0U);
}

TEST(LaneTest, AFailureOfTheKernelIsAStatusAndLeavesNothingOpen) {
  const std::size_t fds = test::open_fd_count();
  for (std::uint64_t nth = 1;; ++nth) {
    const runtime::sys::FailureInjection injection(nth, ENOMEM);

    const bool made = Lane::create({}, nullptr).ok();

    if (!injection.fired()) break;
    EXPECT_FALSE(made && nth < 4) << nth;
    EXPECT_EQ(test::open_fd_count(), fds) << nth;
  }
}

TEST(LaneTest, ALentBlockIsReadThereAndComesBack) {
  LanePair link;
  const BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  EXPECT_EQ(view(*link.b, lent), "cargo");
  EXPECT_EQ(link.a->lent().lent_count(), 1U);

  link.b->release(lent.token);
  EXPECT_TRUE(link.b->releases_unpublished());
  EXPECT_EQ(link.a->collect(), 0U);
  EXPECT_TRUE(link.b->publish_releases());

  EXPECT_EQ(link.a->collect(), 1U);
  EXPECT_EQ(link.a->lent().lent_count(), 0U);
  EXPECT_EQ(link.a->arena().used_bytes(), 0U);
}

TEST(LaneTest, ReleasesWorkForALaneWithoutAnOwner) {
  const Ref<Lane> a = LanePair::make({}, nullptr);
  const Ref<Lane> b = LanePair::make({}, nullptr);
  LanePair::attach(*a, *b);
  LanePair::attach(*b, *a);
  const BlockDescriptor lent = lend(*a, *b, "cargo");

  give_back(*b, lent.token);

  EXPECT_EQ(a->collect(), 1U);
}

TEST(LaneTest, TheOwnerHearsOfReleasesAndFreedBlocks) {
  LanePair link;
  const BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  const OwnBlock block = test::fill_block(*link.a, "ballast");

  link.b->release(lent.token);
  EXPECT_EQ(link.b_owner.changes, 1);
  link.a->free(block.id);

  EXPECT_EQ(link.a_owner.changes, 1);
}

TEST(LaneTest, ABlockThatIsReturnedTwiceIsAViolation) {
  LanePair link;
  const BlockDescriptor first = lend(*link.a, *link.b, "first");
  lend(*link.a, *link.b, "second");

  give_back(*link.b, first.token);
  give_back(*link.b, first.token);

  EXPECT_EQ(link.a->collect(), std::nullopt);
  EXPECT_EQ(link.a->lent().lent_count(), 1U);
}

TEST(LaneTest, ABlockThatIsReturnedInTwoTurnsIsAViolation) {
  LanePair link;
  const BlockDescriptor first = lend(*link.a, *link.b, "first");
  give_back(*link.b, first.token);
  ASSERT_EQ(link.a->collect(), 1U);
  lend(*link.a, *link.b, "second");

  give_back(*link.b, first.token);

  EXPECT_EQ(link.a->collect(), std::nullopt);
}

TEST(LaneTest, AForeignTokenIsAViolation) {
  for (std::uint32_t token : {0U, 0xffffU, 0xffff'ffffU, 0x0002'0000U}) {
    LanePair link;
    lend(*link.a, *link.b, "cargo");

    give_back(*link.b, token);

    EXPECT_EQ(link.a->collect(), std::nullopt) << token;
    EXPECT_EQ(link.a->lent().lent_count(), 1U);
  }
}

TEST(LaneTest, MoreReturnsThanLoansAreAViolation) {
  LanePair link;
  const BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  link.b->release(lent.token);
  link.b->release(lent.token + 1);
  link.b->publish_releases();

  EXPECT_TRUE(link.a->collectable_before_sleep());
  EXPECT_EQ(link.a->collect(), std::nullopt);
}

TEST(LaneTest, CollectableBeforeSleepSeesWhatCameBack) {
  LanePair link;
  const BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  EXPECT_FALSE(link.a->collectable_before_sleep());

  give_back(*link.b, lent.token);

  EXPECT_TRUE(link.a->collectable_before_sleep());
  EXPECT_EQ(link.a->collect(), 1U);
  EXPECT_FALSE(link.a->collectable_before_sleep());
}

TEST(LaneTest, ABlockSentBackAsPayloadIsOursAgain) {
  LanePair link;
  BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  lent.segment |= kReturnedBit;

  const std::optional<OwnBlock> block = link.a->take_returned(lent);

  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(test::text_of({block->data, lent.bytes}), "cargo");
  EXPECT_EQ(link.a->lent().lent_count(), 0U);
  EXPECT_EQ(link.a->arena().used_bytes(), block->capacity_bytes);
  link.a->free(block->id);
  EXPECT_EQ(link.a->arena().used_bytes(), 0U);
}

TEST(LaneTest, AReturnedPayloadThatIsNotWhatWasLentIsRefused) {
  LanePair link;
  BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  lent.segment |= kReturnedBit;

  for (BlockDescriptor wrong : {
           BlockDescriptor{lent.token + 1, lent.segment, lent.offset_units, lent.bytes},
           BlockDescriptor{lent.token, lent.segment + 1, lent.offset_units, lent.bytes},
           BlockDescriptor{lent.token, lent.segment, lent.offset_units + 1, lent.bytes},
           BlockDescriptor{lent.token, lent.segment, lent.offset_units, 257},
           BlockDescriptor{lent.token, lent.segment, 0xffff'ffff, 0xffff'ffff},
           BlockDescriptor{0, 0xffff'ffff, 0, 0},
       }) {
    EXPECT_FALSE(link.a->take_returned(wrong).has_value());
    EXPECT_EQ(link.a->lent().lent_count(), 1U);
  }
  EXPECT_TRUE(link.a->take_returned(lent).has_value());
}

TEST(LaneTest, ABlockThatCameBackAsPayloadCannotBeReturnedOnceMore) {
  LanePair link;
  BlockDescriptor first = lend(*link.a, *link.b, "first");
  lend(*link.a, *link.b, "second");
  first.segment |= kReturnedBit;
  ASSERT_TRUE(link.a->take_returned(first).has_value());

  give_back(*link.b, first.token);

  EXPECT_EQ(link.a->collect(), std::nullopt);
  EXPECT_FALSE(link.a->take_returned(first).has_value());
}

TEST(LaneTest, ALoanThatWasNotSentIsUndone) {
  LanePair link;
  const OwnBlock block = test::fill_block(*link.a, "cargo");

  const std::uint32_t token = link.a->lend(block.id);
  link.a->unlend(token);

  EXPECT_EQ(link.a->lent().lent_count(), 0U);
  EXPECT_EQ(link.a->arena().used_bytes(), 0U);
}

TEST(LaneTest, CloseTakesBackWhatIsLentAndLeavesWhatIsHeldHere) {
  LanePair link;
  for (int i = 0; i < 100; ++i) lend(*link.a, *link.b, std::string(1000, 'x'));
  const OwnBlock held = test::fill_block(*link.a, "held");
  const int changes = link.a_owner.changes;

  link.a->close();

  EXPECT_EQ(link.a->lent().lent_count(), 0U);
  EXPECT_EQ(link.a->arena().used_bytes(), held.capacity_bytes);
  link.a->close();
  link.a->free(held.id);
  EXPECT_EQ(link.a->arena().used_bytes(), 0U);
  EXPECT_EQ(link.a_owner.changes, changes) << "the owner of a closed lane hears no more";
}

TEST(LaneTest, WhatWasReceivedStaysReadableAfterClose) {
  LanePair link;
  const BlockDescriptor lent = lend(*link.a, *link.b, "cargo");
  const Ref<Lane> held_by_payload = link.b;

  link.b->close();
  link.a->close();
  link.a.reset();
  link.b.reset();

  EXPECT_EQ(view(*held_by_payload, lent), "cargo");
  held_by_payload->release(lent.token);
}

TEST(LaneTest, SegmentsAreAnnouncedOnceInOrder) {
  LanePair link;
  EXPECT_EQ(link.a->unannounced(), nullptr);
  for (int i = 0; i < 3; ++i) test::fill_block(*link.a, std::string(256 * 1024, 'x'));

  Segment* first = link.a->unannounced();
  ASSERT_EQ(first, link.a->arena().segment(0));
  EXPECT_EQ(link.a->unannounced(), first);
  link.a->announced();

  EXPECT_EQ(link.a->unannounced(), link.a->arena().segment(1));
}

TEST(LaneTest, BlocksFreePlusLentIsTheTotalAfterAnyTraffic) {
  std::mt19937_64 random(11);
  LanePair link({.arena_bytes_max = 1 << 20});
  std::vector<BlockDescriptor> held_by_b;
  std::vector<OwnBlock> held_by_a;
  for (int step = 0; step < 50'000; ++step) {
    switch (random() % 5) {
      case 0:
      case 1: {
        OwnBlock block;
        if (link.a->arena().allocate(random() % 20'000, block) != Allocation::kOk) break;
        if (link.a->lent().available() == 0 || random() % 4 == 0) {
          held_by_a.push_back(block);
        } else {
          held_by_b.push_back({link.a->lend(block.id), block.id.segment, block.id.unit, 1});
        }
        break;
      }
      case 2:
        if (held_by_b.empty()) break;
        std::swap(held_by_b[random() % held_by_b.size()], held_by_b.back());
        if (random() % 4 == 0) {
          held_by_b.back().segment |= kReturnedBit;
          held_by_a.push_back(link.a->take_returned(held_by_b.back()).value());
        } else {
          give_back(*link.b, held_by_b.back().token);
        }
        held_by_b.pop_back();
        break;
      case 3:
        if (held_by_a.empty()) break;
        link.a->free(held_by_a.back().id);
        held_by_a.pop_back();
        break;
      default: ASSERT_TRUE(link.a->collect().has_value()) << step;
    }
  }

  link.a->close();
  for (const OwnBlock& block : held_by_a) link.a->free(block.id);

  EXPECT_EQ(link.a->lent().lent_count(), 0U);
  EXPECT_EQ(link.a->arena().used_bytes(), 0U);
}

// Why a lane refuses a control segment with this header.
std::string attach_refusal(std::uint32_t ring_bytes, std::uint32_t slot_count, std::size_t bytes) {
  SegmentHeader header = test::good_header(SegmentKind::kControl, bytes);
  header.ring_bytes = ring_bytes;
  header.release_slot_count = slot_count;
  const Ref<Lane> lane = LanePair::make({}, nullptr);
  return lane->attach(test::make_memfd(header, {.bytes = bytes})).ToString();
}

TEST(LaneTest, AControlSegmentThatIsWrongIsRefusedAndTheFieldNamed) {
  const std::size_t bytes = 24 * 1024;
  EXPECT_EQ(attach_refusal(16'384, 256, bytes), "OK");
  EXPECT_THAT(attach_refusal(0, 256, bytes), HasSubstr("ring_bytes"));
  EXPECT_THAT(attach_refusal(8192, 256, bytes), HasSubstr("ring_bytes"));
  EXPECT_THAT(attach_refusal(16'385, 256, bytes), HasSubstr("ring_bytes"));
  EXPECT_THAT(attach_refusal(0x8000'0000, 256, bytes), HasSubstr("ring_bytes"));
  EXPECT_THAT(attach_refusal(16'384, 1024, bytes), HasSubstr("release_slot_count"));
  EXPECT_THAT(attach_refusal(16'384, 0xffff'ffff, bytes), HasSubstr("release_slot_count"));
  EXPECT_THAT(attach_refusal(16'384, 256, 16'384), HasSubstr("segment_bytes"));
  EXPECT_THAT(attach_refusal(1 << 24, 256, bytes), HasSubstr("segment_bytes"));
}

TEST(LaneTest, AnArenaIsNoControlSegment) {
  const Ref<Lane> lane = LanePair::make({}, nullptr);

  const Status status =
      lane->attach(test::make_memfd(test::good_header(SegmentKind::kArena, 24 * 1024), {.bytes = 24 * 1024}));

  EXPECT_THAT(status.ToString(), HasSubstr("kind"));
}

}  // namespace
}  // namespace wharf::shm
