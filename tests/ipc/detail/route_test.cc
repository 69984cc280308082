#include "wharf/ipc/detail/route.h"

#include <cstddef>

#include <gtest/gtest.h>

namespace wharf::ipc::detail {
namespace {

using Memory = RoutePart::Memory;
constexpr std::size_t kMiB = 1 << 20;
constexpr RouteLimits kLane{.shared_memory = true, .arena_bytes_max = 8 * kMiB};

TEST(RouteTest, WithoutSharedMemoryEverythingIsCutInFragments) {
  for (const Memory memory : {Memory::kPlain, Memory::kOwnBlock, Memory::kPeerBlock, Memory::kFile}) {
    EXPECT_EQ(choose_route({.memory = memory, .bytes = 1, .fd_to_spare = true}, {}), Route::kFragments);
  }
}

TEST(RouteTest, BlocksAndFilesTravelAsTheyAreWhateverTheirSize) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, 4096 * kMiB}) {
    EXPECT_EQ(choose_route({.memory = Memory::kOwnBlock, .bytes = bytes}, kLane), Route::kLend);
    EXPECT_EQ(choose_route({.memory = Memory::kPeerBlock, .bytes = bytes}, kLane), Route::kReturn);
    EXPECT_EQ(choose_route({.memory = Memory::kFile, .bytes = bytes}, kLane), Route::kFile);
  }
}

TEST(RouteTest, PlainBytesAreInlineAtTheFrontWhileThereIsRoom) {
  EXPECT_EQ(choose_route({.bytes = 100, .at_front = true, .inline_room = 100}, kLane), Route::kInline);
  EXPECT_EQ(choose_route({.bytes = 0, .at_front = true, .inline_room = 0}, kLane), Route::kInline);
  EXPECT_EQ(choose_route({.bytes = 101, .at_front = true, .inline_room = 100}, kLane), Route::kCopy);
  EXPECT_EQ(choose_route({.bytes = 1, .inline_room = 100}, kLane), Route::kCopy);
}

TEST(RouteTest, PlainBytesTakeHalfOfTheArenaAndThenAFile) {
  EXPECT_EQ(choose_route({.bytes = 4 * kMiB, .fd_to_spare = true}, kLane), Route::kCopy);
  EXPECT_EQ(choose_route({.bytes = 4 * kMiB + 1, .fd_to_spare = true}, kLane), Route::kNewFile);
  EXPECT_EQ(choose_route({.bytes = 4096 * kMiB, .fd_to_spare = true}, kLane), Route::kNewFile);
}

TEST(RouteTest, PlainBytesTakeNoMoreBlocksThanARecordCanNameHowLargeTheArenaMayBe) {
  const RouteLimits large{.shared_memory = true, .arena_bytes_max = 1024 * kMiB};

  EXPECT_EQ(choose_route({.bytes = 32 * kMiB, .fd_to_spare = true}, large), Route::kCopy);
  EXPECT_EQ(choose_route({.bytes = 32 * kMiB + 1, .fd_to_spare = true}, large), Route::kNewFile);
}

TEST(RouteTest, WithoutADescriptorToSpareTheWholeArenaServesAndNoMore) {
  EXPECT_EQ(choose_route({.bytes = 8 * kMiB}, kLane), Route::kCopy);
  EXPECT_EQ(choose_route({.bytes = 8 * kMiB + 1}, kLane), Route::kNone);
}

}  // namespace
}  // namespace wharf::ipc::detail
