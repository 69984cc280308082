#include "wharf/ipc/detail/small_bytes.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::ipc::detail {
namespace {

constexpr std::size_t kSizes[] = {0, 1, 63, 64, 65, 1024, 2048, 2049, 100'000};

SmallBytes copy_of(const std::string& text) { return SmallBytes(std::as_bytes(std::span(text))); }

std::string_view text_of(const SmallBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.bytes().data()), bytes.bytes().size()};
}

TEST(SmallBytesTest, HoldsACopyOfAnySize) {
  for (const std::size_t size : kSizes) {
    std::string text = test::pattern(size);
    const SmallBytes bytes = copy_of(text);
    const std::string expected = text;
    text.assign(size, '?');

    EXPECT_TRUE(text_of(bytes) == expected) << size;
  }
}

TEST(SmallBytesTest, MovesAndLeavesNothing) {
  for (const std::size_t size : kSizes) {
    const std::string text = test::pattern(size);
    SmallBytes source = copy_of(text);

    SmallBytes target(std::move(source));

    EXPECT_TRUE(text_of(target) == text) << size;
    EXPECT_TRUE(source.bytes().empty());  // NOLINT(bugprone-use-after-move)
  }
}

TEST(SmallBytesTest, AssignsOverAnySize) {
  for (const std::size_t old_size : kSizes) {
    for (const std::size_t size : kSizes) {
      const std::string text = test::pattern(size);
      SmallBytes target = copy_of(test::pattern(old_size, 7));
      SmallBytes source = copy_of(text);

      target = std::move(source);

      EXPECT_TRUE(text_of(target) == text) << size << " over " << old_size;
      EXPECT_TRUE(source.bytes().empty());  // NOLINT(bugprone-use-after-move)
    }
  }
}

TEST(SmallBytesTest, AssignsToItself) {
  for (const std::size_t size : kSizes) {
    const std::string text = test::pattern(size);
    SmallBytes bytes = copy_of(text);
    SmallBytes& same = bytes;

    bytes = std::move(same);

    EXPECT_TRUE(text_of(bytes) == text) << size;
  }
}

TEST(SmallBytesTest, GivesBackWhatItTook) {
  const coro::FrameCounters before = coro::frame_counters();
  for (const std::size_t size : kSizes) {
    SmallBytes bytes = copy_of(test::pattern(size));
    SmallBytes other = std::move(bytes);
    bytes = copy_of(test::pattern(size));
    other = SmallBytes();
  }
  const coro::FrameCounters after = coro::frame_counters();
  EXPECT_EQ(after.allocated - before.allocated, after.freed - before.freed);
}

}  // namespace
}  // namespace wharf::ipc::detail
