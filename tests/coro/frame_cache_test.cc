#include "wharf/coro/frame_cache.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/channel.h"
#include "wharf/coro/compiler.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/sync_wait.h"
#include "wharf/coro/when_all.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;

// Under sanitizers every frame is a plain allocation.
constexpr bool kCaches = WHARF_SANITIZED == 0;

// What the calling thread's cache did since the object was made.
class Since {
 public:
  std::uint64_t allocated() const { return frame_counters().allocated - before_.allocated; }
  std::uint64_t freed() const { return frame_counters().freed - before_.freed; }
  std::uint64_t from_malloc() const { return frame_counters().from_malloc - before_.from_malloc; }

 private:
  FrameCounters before_ = frame_counters();
};

TEST(FrameCacheTest, FramesOfEverySizeAreUsableAndApart) {
  std::set<std::uintptr_t> seen;
  std::vector<std::pair<void*, std::size_t>> frames;
  for (std::size_t bytes = 1; bytes <= kFrameBytesMax + 200; bytes += 13) {
    void* frame = allocate_frame(bytes);
    std::memset(frame, 0x5a, bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame) % 16, 0U);
    EXPECT_TRUE(seen.insert(reinterpret_cast<std::uintptr_t>(frame)).second);
    frames.emplace_back(frame, bytes);
  }

  for (auto [frame, bytes] : frames) free_frame(frame, bytes);
}

TEST(FrameCacheTest, AFreedFrameIsHandedOutAgainToAnySizeOfItsClass) {
  void* frame = allocate_frame(kFrameClassBytes + 1);
  free_frame(frame, kFrameClassBytes + 1);
  const Since since;

  void* again = allocate_frame(2 * kFrameClassBytes);

  EXPECT_EQ(since.allocated(), 1U);
  EXPECT_EQ(since.from_malloc(), kCaches ? 0U : 1U);
  EXPECT_TRUE(again == frame || !kCaches);
  free_frame(again, 2 * kFrameClassBytes);
  EXPECT_EQ(since.freed(), 1U);
}

TEST(FrameCacheTest, AFrameAboveTheLimitIsNotKept) {
  void* frame = allocate_frame(kFrameBytesMax + 1);
  free_frame(frame, kFrameBytesMax + 1);
  const Since since;

  frame = allocate_frame(kFrameBytesMax + 1);

  EXPECT_EQ(since.from_malloc(), 1U);
  free_frame(frame, kFrameBytesMax + 1);
}

TEST(FrameCacheTest, KeepsABoundedNumberOfFramesPerClass) {
  constexpr std::size_t kFrames = kFramesCachedMax + 100;
  std::array<void*, kFrames> frames;
  for (void*& frame : frames) frame = allocate_frame(kFrameBytesMax);
  for (void* frame : frames) free_frame(frame, kFrameBytesMax);
  const Since since;

  for (void*& frame : frames) frame = allocate_frame(kFrameBytesMax);

  EXPECT_EQ(since.from_malloc(), kCaches ? kFrames - kFramesCachedMax : kFrames);
  for (void* frame : frames) free_frame(frame, kFrameBytesMax);
}

TEST(FrameCacheTest, AFrameMayBeFreedOnAnotherThreadAndJoinsItsCache) {
  void* frame = allocate_frame(100);
  const Since since;

  std::thread other([frame] {
    const Since there;
    free_frame(frame, 100);
    EXPECT_EQ(there.freed(), 1U);
    void* again = allocate_frame(100);
    EXPECT_TRUE(again == frame || !kCaches);
    free_frame(again, 100);
  });
  other.join();

  EXPECT_EQ(since.freed(), 0U);
}

TEST(FrameCacheTest, AThreadThatEndsFreesWhatItKept) {
  std::thread other([] {
    std::array<void*, 50> frames;
    for (void*& frame : frames) frame = allocate_frame(300);
    for (void* frame : frames) free_frame(frame, 300);
  });

  other.join();  // coro_valgrind_test sees to the rest, and FrameMemoryDeathTest: sanitizers have no cache to look at
}

// Gives its frame back when its thread ends, and says what the thread keeps then.
struct LateFrame {
  ~LateFrame() {
    free_frame(frame, kFrameClassBytes);
    *counters = frame_counters();
  }
  void* frame = nullptr;
  FrameCounters* counters = nullptr;
};

TEST(FrameCacheTest, AFrameThatIsFreedAfterItsThreadsCacheHasGoneIsNotKept) {
  FrameCounters at_the_end;
  std::thread other([&at_the_end] {
    static thread_local LateFrame late;  // before the thread has a cache, and so it dies after that
    late.frame = allocate_frame(kFrameClassBytes);
    late.counters = &at_the_end;
    free_frame(allocate_frame(kFrameClassBytes), kFrameClassBytes);
  });

  other.join();

  EXPECT_EQ(at_the_end.freed, 2U);
  EXPECT_EQ(at_the_end.cached_bytes, 0U);
}

TEST(FrameCacheTest, ATaskMayBeMadeOnOneThreadRunOnAnotherAndFreedThere) {
  auto body = [](std::vector<int> parameter) -> Task<int> {
    co_await yield();
    co_return static_cast<int>(parameter.size());
  };
  const Since since;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(body(std::vector<int>(3)));
  int sum = 0;

  std::thread other([&tasks, &sum] {
    const Since there;
    for (Task<int>& task : tasks) sum += sync_wait(std::move(task));
    tasks.clear();
    EXPECT_EQ(there.freed(), 100U);
    EXPECT_EQ(there.allocated(), 0U);
  });
  other.join();

  EXPECT_EQ(sum, 300);
  EXPECT_EQ(since.allocated(), 100U);
  EXPECT_EQ(since.freed(), 0U);
}

TEST(FrameCacheTest, CountsWhatItKeepsAndGivesItBackWhenToldTo) {
  trim_frame_cache();
  EXPECT_EQ(frame_counters().cached_bytes, 0U);
  void* frame = allocate_frame(kFrameClassBytes + 1);
  free_frame(frame, kFrameClassBytes + 1);
  EXPECT_EQ(frame_counters().cached_bytes, kCaches ? 2 * kFrameClassBytes : 0U);

  trim_frame_cache();

  EXPECT_EQ(frame_counters().cached_bytes, 0U);
  const Since since;
  frame = allocate_frame(kFrameClassBytes + 1);
  EXPECT_EQ(since.from_malloc(), 1U);
  free_frame(frame, kFrameClassBytes + 1);
}

TEST(FrameCacheTest, SteadyStateTakesNothingFromMalloc) {
  Loop loop;
  Channel<int> channel(4);
  auto leaf = [](int n) -> Task<int> {
    co_await yield();
    co_return n;
  };
  auto sender = [](Channel<int>& to) -> Task<void> {
    for (int i = 0; i < 8; ++i) co_await to.send(i);
  };
  auto round = [&]() -> Task<void> {
    Scope scope;
    scope.spawn(sender(channel));
    auto [a, b] = co_await when_all(leaf(1), leaf(2));
    CO_ASSERT_EQ(a + b, 3);
    for (int i = 0; i < 8; ++i) {
      auto item = co_await channel.receive();
      CO_ASSERT_EQ(item, i);
    }
    co_await scope.join();
  };
  loop.run(round());
  const Since since;

  for (int i = 0; i < 1'000; ++i) loop.run(round());

  EXPECT_EQ(since.allocated(), 4'000U);
  EXPECT_EQ(since.freed(), 4'000U);
  EXPECT_EQ(since.from_malloc(), kCaches ? 0U : 4'000U);
}

}  // namespace
}  // namespace wharf::coro
