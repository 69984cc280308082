// Dumps of what notes nothing: awaiters that know nothing of dumps, and frames that have awaited nothing.

#include <coroutine>
#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/dump.h"
#include "wharf/coro/event.h"
#include "wharf/coro/executor.h"
#include "wharf/coro/frame_cache.h"
#include "wharf/coro/task.h"
#include "wharf/tests/coro/count_of.h"
#include "wharf/tests/support/coro_test.h"

#if WHARF_TASK_TRACE

namespace wharf::coro {
namespace {

using test::count_of;
using test::Loop;

// An awaiter that knows nothing of dumps.
struct Silent {
  Frame** waiting;
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<Frame, Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
    *waiting = &handle.promise();
  }
  static void await_resume() noexcept {}
};

Task<void> wait_for(Event& event) { static_cast<void>(co_await event.wait()); }

Task<void> wait_silently(Frame** where) {
  const Silent wait{where};
  co_await wait;
}

TEST(DumpSilentTest, AnAwaiterThatNotesNothingLeavesTheLatestPlace) {
  Loop loop;
  Event event;
  Frame* waiting = nullptr;
  const auto silent = [](Event& of, Frame** where) -> Task<void> {
    co_await wait_for(of);
    const Silent wait{where};
    co_await wait;
  };
  auto task = loop.start(silent(event, &waiting));
  loop.run_ready();
  event.set();
  loop.run_ready();
  ASSERT_NE(waiting, nullptr);

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: runs\n"), 0U) << dump;
  EXPECT_EQ(count_of(dump, "dump_silent_test.cc"), 1U) << dump;
  waiting->schedule();
  loop.run_ready();
}

// Leaves bytes that are no pointers in the memory of the next frames.
void spoil_free_frames() {
  std::vector<std::pair<void*, std::size_t>> frames;
  for (std::size_t bytes = kFrameClassBytes; bytes <= kFrameBytesMax; bytes += kFrameClassBytes) {
    for (int i = 0; i < 4; ++i) frames.emplace_back(std::memset(allocate_frame(bytes), 0x5a, bytes), bytes);
  }
  for (const auto& [frame, bytes] : frames) free_frame(frame, bytes);
}

TEST(DumpSilentTest, AFrameThatHasAwaitedNothingKnowsNothingOfWhatItsMemoryHeld) {
  Loop loop;
  Frame* waiting = nullptr;
  const auto body = [](Frame** where) -> Task<void> { co_await wait_silently(where); };
  spoil_free_frames();
  auto task = loop.start(body(&waiting));
  loop.run_ready();
  ASSERT_NE(waiting, nullptr);

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: runs\n"), 0U) << dump;
  EXPECT_EQ(count_of(dump, "dump_silent_test.cc"), 2U) << dump;
  EXPECT_EQ(count_of(dump, "wait_silently"), 1U) << dump;
  waiting->schedule();
  loop.run_ready();
}

}  // namespace
}  // namespace wharf::coro

#endif
