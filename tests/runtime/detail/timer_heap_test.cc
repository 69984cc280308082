#include "wharf/runtime/detail/timer_heap.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::runtime::detail {
namespace {

class LoggedTimer final : public Timer {
 public:
  LoggedTimer(std::vector<int>& log, int number) : log_(log), number_(number) {}
  std::function<void()> also;

 private:
  void on_expired() noexcept override {
    log_.push_back(number_);
    if (also) also();
  }
  std::vector<int>& log_;
  int number_;
};

TEST(TimerHeapTest, ExpiresByDeadlineThenByTheOrderOfSetting) {
  TimerHeap heap;
  std::vector<int> log;
  LoggedTimer late(log, 1);
  LoggedTimer first(log, 2);
  LoggedTimer second(log, 3);
  heap.insert(late, 20);
  heap.insert(first, 10);
  heap.insert(second, 10);
  EXPECT_EQ(heap.first_deadline_ns(), 10);

  heap.expire(30);

  EXPECT_EQ(log, (std::vector<int>{2, 3, 1}));
  EXPECT_EQ(heap.size(), 0U);
  EXPECT_EQ(heap.first_deadline_ns(), kNever);
}

TEST(TimerHeapTest, ExpiresOnlyWhatIsDue) {
  TimerHeap heap;
  std::vector<int> log;
  LoggedTimer due(log, 1);
  LoggedTimer later(log, 2);
  heap.insert(due, 10);
  heap.insert(later, 11);

  heap.expire(10);

  EXPECT_EQ(log, (std::vector<int>{1}));
  EXPECT_TRUE(later.is_set());
  heap.remove(later);
}

TEST(TimerHeapTest, ATimerThatIsSetMeanwhileWaitsForTheNextCall) {
  TimerHeap heap;
  std::vector<int> log;
  LoggedTimer timer(log, 1);
  timer.also = [&] {
    if (log.size() < 3) heap.insert(timer, 5);
  };
  heap.insert(timer, 10);

  heap.expire(10);
  EXPECT_EQ(log.size(), 1U);
  heap.expire(10);
  EXPECT_EQ(log.size(), 2U);
  heap.expire(10);

  EXPECT_EQ(log.size(), 3U);
  EXPECT_FALSE(timer.is_set());
}

TEST(TimerHeapTest, ATimerThatSetsItselfIntoThePastHoldsUpNobodyWhoIsDue) {
  TimerHeap heap;
  std::vector<int> log;
  LoggedTimer again(log, 1);
  LoggedTimer also_again(log, 2);
  LoggedTimer due(log, 3);
  again.also = [&] { heap.insert(again, 1); };
  also_again.also = [&] { heap.insert(also_again, 2); };
  heap.insert(again, 3);
  heap.insert(also_again, 4);
  heap.insert(due, 10);

  heap.expire(10);
  EXPECT_EQ(log, (std::vector<int>{1, 2, 3}));
  heap.expire(11);

  EXPECT_EQ(log, (std::vector<int>{1, 2, 3, 1, 2}));
  heap.remove(again);
  heap.remove(also_again);
}

TEST(TimerHeapTest, ATimerMayRemoveOthersThatAreDue) {
  TimerHeap heap;
  std::vector<int> log;
  LoggedTimer first(log, 1);
  LoggedTimer other(log, 2);
  heap.insert(first, 1);
  heap.insert(other, 2);
  first.also = [&] { heap.remove(other); };

  heap.expire(10);

  EXPECT_EQ(log, (std::vector<int>{1}));
}

// Against a sorted list, with a hundred thousand live timers, every third of which is removed.
TEST(TimerHeapTest, AHundredThousandLiveTimersKeepTheirOrder) {
  constexpr int kCount = 100'000;
  TimerHeap heap;
  std::vector<int> log;
  std::vector<std::unique_ptr<LoggedTimer>> timers;
  std::vector<std::pair<std::int64_t, int>> expected;
  std::mt19937 random(7);
  for (int i = 0; i < kCount; ++i) {
    timers.push_back(std::make_unique<LoggedTimer>(log, i));
    const auto deadline = static_cast<std::int64_t>(random() % 50'000);
    heap.insert(*timers.back(), deadline);
    if (i % 3 != 0) expected.emplace_back(deadline, i);
  }
  for (int i = 0; i < kCount; i += 3) heap.remove(*timers[static_cast<std::size_t>(i)]);
  EXPECT_EQ(heap.size(), expected.size());
  std::sort(expected.begin(), expected.end());

  for (std::int64_t now = 0; now < 50'000; now += 100) heap.expire(now);
  heap.expire(50'000);

  ASSERT_EQ(log.size(), expected.size());
  for (std::size_t i = 0; i < log.size(); ++i) ASSERT_EQ(log[i], expected[i].second) << i;
}

// Ascending and descending deadlines make the heap as lopsided as it gets; nothing recurses.
TEST(TimerHeapTest, ALopsidedHeapIsRemovedInAnyOrder) {
  constexpr int kCount = 100'000;
  TimerHeap heap;
  std::vector<int> log;
  std::vector<std::unique_ptr<LoggedTimer>> timers;
  for (int i = 0; i < kCount; ++i) {
    timers.push_back(std::make_unique<LoggedTimer>(log, i));
    heap.insert(*timers.back(), i % 2 == 0 ? kCount - i : kCount + i);
  }
  std::shuffle(timers.begin(), timers.end(), std::mt19937(11));
  for (auto& timer : timers) heap.remove(*timer);

  EXPECT_EQ(heap.size(), 0U);
  EXPECT_TRUE(log.empty());
}

TEST(TimerHeapDeathTest, AHeapThatDiesWithATimerSetAborts) {
  EXPECT_DEATH(
      {
        std::vector<int> log;
        auto timer = std::make_unique<LoggedTimer>(log, 1);
        TimerHeap heap;
        heap.insert(*timer, 1);
      },
      "while a Timer of it was set");
}

}  // namespace
}  // namespace wharf::runtime::detail
