#include "wharf/shm/release_ring.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/tests/shm/control_pair.h"

namespace wharf::shm {
namespace {

using test::ControlPair;
using test::kStarts;
using test::Mappings;

constexpr std::size_t kSlots = ControlPair::kSlots;

// Side 0 returns, side 1 hears of it.
struct Releases {
  explicit Releases(std::uint64_t start = 0, Mappings mappings = Mappings::kTwo)
      : pair(start, mappings),
        writer(pair.own(0), ControlPair::kRingBytes, kSlots),
        reader(pair.peer(1), ControlPair::kRingBytes, kSlots) {}
  ControlPair pair;
  ReleaseWriter writer;
  ReleaseReader reader;
};

TEST(ReleaseRingTest, TokensComeBackInOrder) {
  for (std::uint64_t start : kStarts) {
    Releases releases(start);

    for (std::uint32_t token : {7U, 8U, 0xffff'ffffU}) releases.writer.push(token);
    EXPECT_TRUE(releases.writer.publish());

    ASSERT_EQ(releases.reader.refresh(3), nullptr);
    for (std::uint32_t token : {7U, 8U, 0xffff'ffffU}) {
      ASSERT_TRUE(releases.reader.readable());
      EXPECT_EQ(releases.reader.pop(), token);
    }
    EXPECT_FALSE(releases.reader.readable());
  }
}

TEST(ReleaseRingTest, NothingIsSeenBeforeItIsPublished) {
  Releases releases;
  EXPECT_FALSE(releases.writer.publish());
  releases.writer.push(1);
  EXPECT_TRUE(releases.writer.unpublished());

  ASSERT_EQ(releases.reader.refresh(1), nullptr);
  EXPECT_FALSE(releases.reader.readable());
  releases.writer.publish();
  ASSERT_EQ(releases.reader.refresh(1), nullptr);

  EXPECT_TRUE(releases.reader.readable());
  EXPECT_FALSE(releases.writer.unpublished());
}

TEST(ReleaseRingTest, HoldsOneEntryForEverySlotAcrossEveryWrap) {
  for (std::uint64_t start : kStarts) {
    Releases releases(start);
    for (int round = 0; round < 3; ++round) {
      for (std::uint32_t token = 0; token < kSlots; ++token) releases.writer.push(token);
      releases.writer.publish();

      ASSERT_EQ(releases.reader.refresh(kSlots), nullptr);
      for (std::uint32_t token = 0; token < kSlots; ++token) ASSERT_EQ(releases.reader.pop(), token);
      EXPECT_FALSE(releases.reader.readable());
    }
  }
}

TEST(ReleaseRingTest, MoreReturnsThanLoansAreAViolation) {
  for (std::uint64_t start : kStarts) {
    Releases releases(start);
    releases.writer.push(1);
    releases.writer.push(2);
    releases.writer.publish();

    EXPECT_STREQ(releases.reader.refresh(1), "returned");
    EXPECT_FALSE(releases.reader.readable());
    EXPECT_EQ(releases.reader.refresh(2), nullptr);
  }
}

TEST(ReleaseRingTest, APositionThatIsImpossibleIsAViolation) {
  for (std::uint64_t start : kStarts) {
    for (std::uint64_t wrong :
         {start - 1, start + kSlots + 1, start + (std::uint64_t{1} << 32), start + (std::uint64_t{1} << 63)}) {
      Releases releases(start);

      releases.pair.own(0).returned.store(wrong, std::memory_order_release);

      EXPECT_STREQ(releases.reader.refresh(kSlots), "returned") << start << ", " << wrong;
    }
  }
}

TEST(ReleaseRingTest, APositionThatGoesBackIsAViolation) {
  for (std::uint64_t start : kStarts) {
    Releases releases(start);
    releases.pair.own(0).returned.store(start + 3, std::memory_order_release);
    ASSERT_EQ(releases.reader.refresh(kSlots), nullptr);

    releases.pair.own(0).returned.store(start + 2, std::memory_order_release);

    EXPECT_STREQ(releases.reader.refresh(kSlots), "returned");
  }
}

TEST(ReleaseRingTest, ReservedBytesThatAreNotZeroGiveNoToken) {
  Releases releases;
  releases.writer.push(5);
  const ReleaseEntry entry{5, 0x0100'0000};
  std::memcpy(releases.pair.release_ring(0), &entry, sizeof(entry));
  releases.writer.publish();

  ASSERT_EQ(releases.reader.refresh(1), nullptr);

  EXPECT_EQ(releases.reader.pop(), std::nullopt);
}

class ReleaseRingStressTest : public ::testing::TestWithParam<Mappings> {};

TEST_P(ReleaseRingStressTest, TwoThreadsLoseNoToken) {
  constexpr std::uint32_t kTokens = 500'000;
  Releases releases(0xffff'ffff - kTokens / 2, GetParam());
  // How many tokens the reader has lent, which bounds what may come back. In a link a loan travels in a record of the other
  // ring, whose order is what makes an entry free to be written again.
  std::atomic<std::uint32_t> lent{0};

  std::thread thread([&] {
    for (std::uint32_t token = 0; token < kTokens; ++token) {
      while (lent.load(std::memory_order_acquire) == token) {
        releases.writer.publish();
        ::sched_yield();
      }
      releases.writer.push(token);
      if (token % 16 == 0) releases.writer.publish();
    }
    releases.writer.publish();
  });
  std::uint32_t back = 0;
  std::string wrong;
  while (back < kTokens && wrong.empty()) {
    const std::uint32_t out = std::min<std::uint32_t>(kTokens, back + kSlots);
    lent.store(out, std::memory_order_release);
    if (releases.reader.refresh(out - back) != nullptr) wrong = "returned";
    if (!releases.reader.readable()) ::sched_yield();
    while (wrong.empty() && releases.reader.readable()) {
      if (releases.reader.pop() != back) wrong = "token " + std::to_string(back);
      ++back;
    }
  }
  lent.store(kTokens, std::memory_order_relaxed);
  thread.join();

  EXPECT_EQ(wrong, "");
  EXPECT_EQ(back, kTokens);
}

INSTANTIATE_TEST_SUITE_P(Through, ReleaseRingStressTest, ::testing::Values(Mappings::kTwo, Mappings::kOne),
                         [](const auto& through) {
                           return through.param == Mappings::kTwo ? std::string("TwoMappings")
                                                                  : std::string("OneMapping");
                         });

}  // namespace
}  // namespace wharf::shm
