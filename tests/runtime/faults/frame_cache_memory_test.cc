#include <cstddef>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/coro/compiler.h"
#include "wharf/coro/frame_cache.h"
#include "wharf/tests/runtime/faults/failing_new.h"

namespace wharf::coro {
namespace {

// In a thread of its own: what a cache has made room for it keeps.
template <class F>
void on_a_new_thread(F f) {
  std::thread other(f);
  other.join();
}

TEST(FrameCacheMemoryTest, WithoutMemoryToKeepFramesInTheyAreFreedAndTheNextIsTriedAgain) {
  if (WHARF_SANITIZED != 0) GTEST_SKIP() << "under sanitizers every frame is a plain allocation";
  on_a_new_thread([] {
    void* const first = allocate_frame(kFrameClassBytes);
    void* const second = allocate_frame(kFrameClassBytes);

    test::fail_allocation(1);
    free_frame(first, kFrameClassBytes);

    EXPECT_TRUE(test::allocation_failed());
    EXPECT_EQ(frame_counters().freed, 1U);
    EXPECT_EQ(frame_counters().cached_bytes, 0U);
    free_frame(second, kFrameClassBytes);
    EXPECT_EQ(frame_counters().freed, 2U);
    EXPECT_EQ(frame_counters().cached_bytes, kFrameClassBytes);
  });
}

}  // namespace
}  // namespace wharf::coro
