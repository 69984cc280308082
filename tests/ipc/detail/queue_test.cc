#include "wharf/ipc/detail/queue.h"

#include <cstddef>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

namespace wharf::ipc::detail {
namespace {

TEST(QueueTest, IsFifoAcrossGrowthAndWrap) {
  Queue<std::unique_ptr<int>> queue;
  int pushed = 0;
  int popped = 0;
  for (int round = 1; round < 50; ++round) {
    for (int i = 0; i < round; ++i) queue.push(std::make_unique<int>(pushed++));
    for (int i = 0; i < round - round / 3; ++i) EXPECT_EQ(*queue.pop(), popped++);
    EXPECT_EQ(queue.size(), static_cast<std::size_t>(pushed - popped));
  }
  while (!queue.empty()) EXPECT_EQ(*queue.pop(), popped++);
  EXPECT_EQ(pushed, popped);
}

TEST(QueueTest, LetsGoOfWhatIsPoppedAndCleared) {
  const auto item = std::make_shared<int>(1);
  Queue<std::shared_ptr<int>> queue;
  for (int i = 0; i < 10; ++i) queue.push(std::shared_ptr<int>(item));
  EXPECT_EQ(item.use_count(), 11);

  static_cast<void>(queue.pop());
  EXPECT_EQ(item.use_count(), 10);
  queue.clear();

  EXPECT_EQ(item.use_count(), 1);
  EXPECT_TRUE(queue.empty());
  queue.push(std::shared_ptr<int>(item));
  EXPECT_EQ(queue.size(), 1u);
}

}  // namespace
}  // namespace wharf::ipc::detail
