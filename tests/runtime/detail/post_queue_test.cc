#include "wharf/runtime/detail/post_queue.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::runtime::detail {
namespace {

struct Note final : Posted {
  void run() noexcept override {}
  void drop() noexcept override { dropped = true; }
  int writer = 0;
  int number = 0;
  bool dropped = false;
};

TEST(PostQueueTest, GivesTheOldestFirst) {
  PostQueue queue;
  Note notes[3];
  for (Note& note : notes) EXPECT_FALSE(queue.push(note));

  Posted* work = queue.take_all();

  EXPECT_EQ(work, &notes[0]);
  EXPECT_EQ(PostQueue::next_of(*work), &notes[1]);
  EXPECT_EQ(PostQueue::next_of(notes[2]), nullptr);
  EXPECT_TRUE(queue.empty());
}

TEST(PostQueueTest, OnlyTheFirstPushInASleepWakes) {
  PostQueue queue;
  Note notes[2];
  EXPECT_TRUE(queue.prepare_sleep());

  EXPECT_TRUE(queue.push(notes[0]));
  EXPECT_FALSE(queue.push(notes[1]));
  static_cast<void>(queue.take_all());
}

TEST(PostQueueTest, NoSleepWhileThereIsWork) {
  PostQueue queue;
  Note notes[2];
  EXPECT_FALSE(queue.push(notes[0]));

  EXPECT_FALSE(queue.prepare_sleep());

  EXPECT_FALSE(queue.push(notes[1]));  // and nobody believes in one
  static_cast<void>(queue.take_all());
}

TEST(PostQueueTest, WhatIsLeftIsDropped) {
  Note note;
  {
    PostQueue queue;
    EXPECT_FALSE(queue.push(note));
  }

  EXPECT_TRUE(note.dropped);
}

// The reactor's part is played with a flag in place of the kernel: a lost wake hangs.
TEST(PostQueueTest, EverythingThatThreadsPushArrivesInTheirOrder) {
  constexpr int kWriters = 3;
  constexpr int kNotesEach = 20'000;
  PostQueue queue;
  std::vector<std::vector<Note>> notes(kWriters);
  std::atomic<int> wakes{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    notes[writer] = std::vector<Note>(kNotesEach);
    writers.emplace_back([&, writer] {
      for (int number = 0; number < kNotesEach; ++number) {
        Note& note = notes[writer][number];
        note.writer = writer;
        note.number = number;
        if (queue.push(note)) {
          wakes.fetch_add(1);
          wakes.notify_one();
        }
      }
    });
  }

  int seen[kWriters] = {};
  int seen_count = 0;
  int taken_wakes = 0;
  while (seen_count < kWriters * kNotesEach) {
    if (queue.prepare_sleep()) {
      wakes.wait(taken_wakes);
      ++taken_wakes;
      queue.awake();
    }
    for (Posted* work = queue.take_all(); work != nullptr; work = PostQueue::next_of(*work)) {
      const auto& note = static_cast<const Note&>(*work);
      ASSERT_EQ(note.number, seen[note.writer]++);
      ++seen_count;
    }
  }
  for (std::thread& writer : writers) writer.join();

  EXPECT_LE(taken_wakes, wakes.load());  // a wake may come too late to be needed
}

}  // namespace
}  // namespace wharf::runtime::detail
