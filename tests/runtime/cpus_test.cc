#include "wharf/runtime/cpus.h"

#include <sched.h>

#include <vector>

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

TEST(CpusTest, ThereIsOneAtLeastAndTheyAscend) {
  const std::vector<int> cpus = allowed_cpus();

  ASSERT_FALSE(cpus.empty());
  for (std::size_t i = 1; i < cpus.size(); ++i) EXPECT_LT(cpus[i - 1], cpus[i]);
}

TEST(CpusTest, APinnedThreadRunsOnItsCpuAloneUntilThePinGoes) {
  const std::vector<int> before = allowed_cpus();
  {
    PinnedThread pinned;
    ASSERT_TRUE(pinned.pin_to(before.back()).ok());

    EXPECT_EQ(allowed_cpus(), std::vector<int>{before.back()});
    EXPECT_EQ(::sched_getcpu(), before.back());
  }
  EXPECT_EQ(allowed_cpus(), before);
}

TEST(CpusTest, ACpuThatIsNotThereIsRefusedAndNothingChanges) {
  const std::vector<int> before = allowed_cpus();
  PinnedThread pinned;

  EXPECT_EQ(pinned.pin_to(-1).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(pinned.pin_to(60'000).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(allowed_cpus(), before);
}

}  // namespace
}  // namespace wharf::runtime
