#include "wharf/ipc/detail/call_table.h"

#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::ipc::detail {
namespace {

using Table = CallTable<int>;

TEST(CallTableTest, FindsEachCallByItsStream) {
  Table table;
  std::vector<int> calls(100);
  std::vector<std::uint64_t> streams;
  for (int& call : calls) streams.push_back(table.add(call));

  EXPECT_EQ(table.size(), 100u);
  EXPECT_EQ(std::set<std::uint64_t>(streams.begin(), streams.end()).size(), 100u);
  for (std::size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(table.find(streams[i]), &calls[i]);
}

TEST(CallTableTest, NoStreamIsZero) {
  Table table;
  int call = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t stream = table.add(call);
    EXPECT_NE(stream, 0u);
    table.remove(stream);
  }
}

TEST(CallTableTest, ARemovedCallIsNotFoundAndItsPlaceIsReusedUnderAnotherStream) {
  Table table;
  int first = 1;
  int second = 2;
  const std::uint64_t old_stream = table.add(first);
  table.remove(old_stream);
  EXPECT_EQ(table.find(old_stream), nullptr);

  const std::uint64_t stream = table.add(second);

  EXPECT_EQ(stream & UINT32_MAX, old_stream & UINT32_MAX) << "the same slot";
  EXPECT_EQ(table.find(old_stream), nullptr);
  EXPECT_EQ(table.find(stream), &second);
  table.remove(old_stream);
  EXPECT_EQ(table.size(), 1u) << "a stale stream removes nothing";
}

TEST(CallTableTest, AStreamThatWasNeverGivenIsNotFound) {
  Table table;
  int call = 0;
  const std::uint64_t stream = table.add(call);
  for (const std::uint64_t other : {std::uint64_t{0}, std::uint64_t{1}, stream + 1, stream ^ (std::uint64_t{1} << 40),
                                    std::uint64_t{UINT32_MAX}, std::uint64_t{UINT64_MAX}, stream - 1}) {
    EXPECT_EQ(table.find(other), nullptr) << other;
    table.remove(other);
  }
  EXPECT_EQ(table.size(), 1u);
}

TEST(CallTableTest, FreeSlotsAreUsedBeforeTheTableGrows) {
  Table table;
  std::vector<int> calls(8);
  std::vector<std::uint64_t> streams;
  for (int& call : calls) streams.push_back(table.add(call));
  for (std::size_t i = 0; i < 8; i += 2) table.remove(streams[i]);
  EXPECT_EQ(table.size(), 4u);

  for (std::size_t i = 0; i < 8; i += 2) streams[i] = table.add(calls[i]);

  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(table.find(streams[i]), &calls[i]);
    EXPECT_LE(streams[i] & UINT32_MAX, 8u);
  }
}

}  // namespace
}  // namespace wharf::ipc::detail
