// It works once in a process, so each test is a process of its own.

#include "wharf/coro/frame_memory.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <new>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/coro/sync_wait.h"
#include "wharf/coro/task.h"

namespace wharf::coro {
namespace {

// Counts what it gave; refuses more than `limit`.
class Account final : public std::pmr::memory_resource {
 public:
  std::atomic<std::size_t> taken{0};
  std::atomic<std::size_t> given_back{0};
  std::size_t limit = SIZE_MAX;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (taken + bytes > limit) throw std::bad_alloc();
    taken += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
    given_back += bytes;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

Account account;

Task<int> depth(int n) {
  int below = 0;
  if (n > 0) below = co_await depth(n - 1);
  co_return below + 1;
}

// Ends the process: with 0 if `right`.
[[noreturn]] void end(bool right, const char* what) {
  if (!right)
    std::fprintf(stderr, "%s: %zu taken, %zu given back\n", what, account.taken.load(), account.given_back.load());
  std::_Exit(right ? 0 : 1);
}

class FrameMemoryDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(FrameMemoryDeathTest, EveryFrameComesFromItAndGoesBackToIt) {
  EXPECT_EXIT(
      {
        set_frame_memory(account);
        const int frames = sync_wait(depth(99));
        trim_frame_cache();
        end(frames == 100 && account.taken >= 100 * kFrameClassBytes && account.taken == account.given_back, "frames");
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(FrameMemoryDeathTest, AThreadThatEndsGivesBackWhatItKept) {
  EXPECT_EXIT(
      {
        set_frame_memory(account);
        std::thread other([] { sync_wait(depth(20)); });
        other.join();
        end(account.taken != 0 && account.taken == account.given_back, "thread");
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(FrameMemoryDeathTest, WhatItThrowsIsThrownByTheCallThatMakesTheTask) {
  EXPECT_EXIT(
      {
        account.limit = 1;
        set_frame_memory(account);
        bool thrown = false;
        try {
          const Task<int> never = depth(0);
        } catch (const std::bad_alloc&) {
          thrown = true;
        }
        end(thrown && account.taken == 0, "refusal");
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(FrameMemoryDeathTest, AFrameThatItRefusesIsNotCounted) {
  EXPECT_EXIT(
      {
        account.limit = 1;
        set_frame_memory(account);
        try {
          const Task<int> never = depth(0);
        } catch (const std::bad_alloc&) {
        }
        const FrameCounters counters = frame_counters();
        end(counters.allocated == 0 && counters.from_malloc == 0, "counts");
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(FrameMemoryDeathTest, SettingItAfterTheFirstTaskAborts) {
  EXPECT_DEATH(
      {
        sync_wait(depth(0));
        set_frame_memory(account);
      },
      "set_frame_memory.. was called after the first task was made");
}

TEST_F(FrameMemoryDeathTest, SettingItTwiceAborts) {
  EXPECT_DEATH(
      {
        set_frame_memory(account);
        set_frame_memory(account);
      },
      "set_frame_memory.. was called twice");
}

}  // namespace
}  // namespace wharf::coro
