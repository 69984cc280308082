#include "wharf/shm/lent_table.h"

#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::shm {
namespace {

TEST(LentTableTest, ALentBlockIsFoundByItsToken) {
  LentTable table(4);

  const std::uint32_t token = table.lend(BlockId{2, 300});

  ASSERT_NE(table.find(token), nullptr);
  EXPECT_EQ(table.find(token)->segment, 2U);
  EXPECT_EQ(table.find(token)->unit, 300U);
  EXPECT_EQ(table.lent_count(), 1U);
  EXPECT_EQ(table.available(), 3U);
}

TEST(LentTableTest, ATokenIsWorthlessOnceItsBlockIsBack) {
  LentTable table(4);
  const std::uint32_t token = table.lend(BlockId{1, 7});

  const BlockId back = table.take_back(token);

  EXPECT_EQ(back.segment, 1U);
  EXPECT_EQ(back.unit, 7U);
  EXPECT_EQ(table.find(token), nullptr);
  EXPECT_EQ(table.lent_count(), 0U);
}

TEST(LentTableTest, ATokenOfAnEarlierLoanOfTheSameSlotIsNotTheLaterOne) {
  LentTable table(1);
  const std::uint32_t first = table.lend(BlockId{0, 1});
  table.take_back(first);

  const std::uint32_t second = table.lend(BlockId{0, 2});

  EXPECT_NE(first, second);
  EXPECT_EQ(table.find(first), nullptr);
  ASSERT_NE(table.find(second), nullptr);
  EXPECT_EQ(table.find(second)->unit, 2U);
}

TEST(LentTableTest, TokensThatWereNeverGivenOutAreForeign) {
  LentTable table(4);
  const std::uint32_t token = table.lend(BlockId{0, 1});

  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(token ^ 0x0001'0000), nullptr);
  EXPECT_EQ(table.find(token ^ 0x8000'0000), nullptr);
  EXPECT_EQ(table.find(token + 1), nullptr);
  EXPECT_EQ(table.find(4), nullptr);
  EXPECT_EQ(table.find(0xffff), nullptr);
  EXPECT_EQ(table.find(0xffff'ffff), nullptr);
}

TEST(LentTableTest, SlotsAreUsedInTurnSoThatATokenStaysForeignForLong) {
  constexpr std::size_t kSlots = 8;
  LentTable table(kSlots);
  std::vector<bool> seen(kSlots << 16);

  for (std::size_t i = 0; i < kSlots * 65'536; ++i) {
    const std::uint32_t token = table.lend(BlockId{});
    const std::size_t index = (token >> 16) * kSlots + (token & 0xffff);
    ASSERT_FALSE(seen[index]) << "token given out again after " << i << " loans";
    seen[index] = true;
    table.take_back(token);
  }
}

TEST(LentTableTest, TheGenerationWrapsAndStillTellsNeighboursApart) {
  LentTable table(1);
  std::uint32_t last = table.lend(BlockId{});
  for (int i = 0; i < 65'534; ++i) {
    table.take_back(last);
    last = table.lend(BlockId{});
  }
  ASSERT_EQ(last >> 16, 65'535U);

  table.take_back(last);
  const std::uint32_t wrapped = table.lend(BlockId{0, 9});

  EXPECT_EQ(wrapped >> 16, 0U);
  EXPECT_EQ(table.find(last), nullptr);
  ASSERT_NE(table.find(wrapped), nullptr);
  EXPECT_EQ(table.find(wrapped)->unit, 9U);
  table.take_back(wrapped);
  EXPECT_EQ(table.find(wrapped), nullptr);
}

TEST(LentTableTest, EverySlotOfTheLargestTableHasItsOwnToken) {
  LentTable table(65'536);
  std::set<std::uint32_t> tokens;

  while (table.available() > 0) tokens.insert(table.lend(BlockId{0, 1}));

  EXPECT_EQ(tokens.size(), 65'536U);
  for (std::uint32_t token : tokens) ASSERT_NE(table.find(token), nullptr);
}

TEST(LentTableTest, TakeBackAllGivesEveryLentBlockOnce) {
  LentTable table(8);
  std::vector<std::uint32_t> tokens;
  for (std::uint32_t unit = 0; unit < 8; ++unit) tokens.push_back(table.lend(BlockId{0, unit}));
  table.take_back(tokens[3]);
  std::vector<std::uint32_t> units;

  table.take_back_all([&](BlockId id) { units.push_back(id.unit); });

  EXPECT_EQ(units, (std::vector<std::uint32_t>{0, 1, 2, 4, 5, 6, 7}));
  EXPECT_EQ(table.lent_count(), 0U);
  EXPECT_EQ(table.available(), 8U);
}

TEST(LentTableTest, RandomLoansAndReturnsLoseNoSlot) {
  constexpr std::size_t kSlots = 64;
  std::mt19937_64 random(7);
  LentTable table(kSlots);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;  // token, unit
  std::uint32_t unit = 0;

  for (int step = 0; step < 200'000; ++step) {
    if (table.available() > 0 && (out.empty() || random() % 2 == 0)) {
      out.emplace_back(table.lend(BlockId{0, ++unit}), unit);
    } else {
      std::swap(out[random() % out.size()], out.back());
      ASSERT_EQ(table.take_back(out.back().first).unit, out.back().second);
      out.pop_back();
    }
    ASSERT_EQ(table.lent_count(), out.size());
  }
  while (table.available() > 0) out.emplace_back(table.lend(BlockId{}), 0);

  EXPECT_EQ(out.size(), kSlots);
}

TEST(LentTableDeathTest, ABlockThatIsTakenBackTwiceAborts) {
  LentTable table(4);
  const std::uint32_t token = table.lend(BlockId{});
  table.take_back(token);

  EXPECT_DEATH(table.take_back(token), "a token was taken back that is not lent");
}

TEST(LentTableDeathTest, ATableOfNoSlotsOrTooManyAborts) {
  EXPECT_DEATH(LentTable(0), "a token has 16 bits for its slot");
  EXPECT_DEATH(LentTable(65'537), "a token has 16 bits for its slot");
}

}  // namespace
}  // namespace wharf::shm
