// How a reactor spins before it sleeps. The decision by itself: detail/spin_policy_test.cc.
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"
#include "wharf/runtime/watch.h"
#include "wharf/tests/runtime/fake_poller.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::kSpinNs;
using SpinTest = test::PollerTest;

TEST_F(SpinTest, AHotPollerIsPolledThenSpunForThenPutToSleep) {
  reactor_->make_hot(one_);
  run_until_sleep();

  EXPECT_GT(one_.polls, 32);
  EXPECT_EQ(one_.sleeps, 1);
  EXPECT_EQ(reactor_->counters().spins, 1U);
  EXPECT_EQ(reactor_->counters().sleeps, 1U);
}

TEST_F(SpinTest, SpinningEndsWhenItsTimeIsUp) {
  reactor_->make_hot(one_);
  const std::int64_t before = kernel_->clock_ns;
  run_until_sleep();

  EXPECT_GE(kernel_->clock_ns - before, kSpinNs);
  EXPECT_LE(kernel_->clock_ns - before, kSpinNs + 10 * kernel_->clock_step_ns);
}

TEST_F(SpinTest, AMessageDuringTheSpinSparesTheSleep) {
  one_.on_poll = [this] {
    if (one_.polls != 20) return false;
    end_.set();
    return true;
  };
  reactor_->make_hot(one_);
  run();

  EXPECT_EQ(one_.sleeps, 0);
  EXPECT_EQ(reactor_->counters().sleeps, 0U);
  EXPECT_EQ(reactor_->counters().spin_hits, 1U);
}

TEST_F(SpinTest, ACompletionDuringTheSpinEndsIt) {
  kernel_->on_poll = [this] {
    if (kernel_->counters().enters == 20) reactor_->post([this] { end_.set(); });
  };
  reactor_->make_hot(one_);
  run();

  EXPECT_EQ(reactor_->counters().sleeps, 0U);
}

TEST_F(SpinTest, ATimerDuringTheSpinRuns) {
  auto main = []() -> Task<bool> {
    const bool elapsed = co_await sleep_for(std::chrono::microseconds(20));
    co_return elapsed;
  };
  reactor_->make_hot(one_);

  EXPECT_TRUE(reactor_->run(main()));
  EXPECT_EQ(reactor_->counters().sleeps, 0U);
}

TEST_F(SpinTest, NoSpinIfNoPollerMaySpin) {
  one_.spins = Poller::Spinning::kUseless;
  reactor_->make_hot(one_);
  run_until_sleep();

  EXPECT_EQ(reactor_->counters().spins, 0U);
  EXPECT_EQ(one_.polls, 1);
  EXPECT_EQ(one_.sleeps, 1);
}

TEST_F(SpinTest, NoSpinForOneIfAnothersPeerNeedsTheCpu) {
  two_.spins = Poller::Spinning::kHarmful;
  reactor_->make_hot(one_);
  reactor_->make_hot(two_);
  run_until_sleep();

  EXPECT_EQ(reactor_->counters().spins, 0U);
}

TEST_F(SpinTest, SpinningStopsWhenThePeerComesToNeedTheCpu) {
  one_.on_poll = [this] {
    if (one_.polls == 40) one_.spins = Poller::Spinning::kUseless;
    return false;
  };
  reactor_->make_hot(one_);
  run_until_sleep();

  EXPECT_LE(one_.polls, 40 + 33);
}

TEST_F(SpinTest, ZeroMeansNoSpinning) {
  make({.spin_ns = 0});
  reactor_->make_hot(one_);
  run_until_sleep();

  EXPECT_EQ(reactor_->counters().spins, 0U);
}

TEST_F(SpinTest, AlwaysMeansNoSleepWhileAPollerIsHot) {
  make({.spin_ns = kSpinAlways});
  one_.on_poll = [this] {
    if (one_.polls == 100'000) end_.set();
    return one_.polls == 100'000;
  };
  reactor_->make_hot(one_);
  run();

  EXPECT_EQ(reactor_->counters().sleeps, 0U);
  EXPECT_EQ(one_.sleeps, 0);
}

TEST_F(SpinTest, SpinningThatIsAlwaysInVainIsGivenUp) {
  int sleeps = 0;
  kernel_->on_sleep = [&](std::int64_t) {
    kernel_->clock_ns += 10'000'000;
    reactor_->make_hot(one_);
    if (++sleeps == 60) end_.set();
  };
  reactor_->make_hot(one_);
  run();

  EXPECT_LE(reactor_->counters().spins, 6U);
}

TEST_F(SpinTest, AndTakenUpAgainWhenWakesComeSoon) {
  int sleeps = 0;
  kernel_->on_sleep = [&](std::int64_t) {
    kernel_->clock_ns += sleeps < 30 ? 10'000'000 : 10'000;
    reactor_->make_hot(one_);
    if (++sleeps == 60) end_.set();
  };
  reactor_->make_hot(one_);
  run();

  EXPECT_GE(reactor_->counters().spins, 10U);
}

TEST_F(SpinTest, TheMeasuredTimeFollowsHowLateTimersEndASleep) {
  make({.spin_ns = kSpinMeasured});
  const std::int64_t at_first = reactor_->counters().spin_ns;
  kernel_->on_sleep = [this](std::int64_t deadline_ns) { kernel_->clock_ns = deadline_ns + 80'000; };
  auto main = []() -> Task<void> {
    for (int i = 0; i < 100; ++i) {
      const bool elapsed = co_await sleep_for(std::chrono::milliseconds(1));
      EXPECT_TRUE(elapsed);
    }
  };
  reactor_->run(main());

  EXPECT_LT(at_first, 40'000);
  EXPECT_GT(reactor_->counters().spin_ns, 70'000);
}

// A counter that another thread counts up, with the sleep protocol of a lane: the reader makes its
// epoch odd and looks again, the writer publishes and then looks at the epoch.
class Counter final : private Poller, private Watch {
 public:
  Counter(Reactor& reactor, const UniqueFd& bell) : Watch(reactor, bell.get(), POLLIN), bell_(bell.get()) {
    reactor.make_hot(*this);
  }
  ~Counter() override { reactor().remove(*this); }

  Task<void> wait_until(std::uint64_t count) {
    while (seen_ < count) {
      const bool moved = co_await moved_.wait();
      EXPECT_TRUE(moved);
      moved_.reset();
    }
  }

  // The writer's.
  void publish(std::uint64_t count) noexcept {
    published_.store(count, std::memory_order_seq_cst);                  // P1 -> C2
    const std::uint64_t epoch = epoch_.load(std::memory_order_seq_cst);  // P2 -> C1
    if (epoch % 2 == 0 || epoch == rung_) return;
    rung_ = epoch;
    EXPECT_EQ(::eventfd_write(bell_, 1), 0);
  }

 private:
  bool poll() noexcept override {
    const std::uint64_t published = published_.load(std::memory_order_seq_cst);
    if (published == seen_) return false;
    seen_ = published;
    moved_.set();
    return true;
  }
  bool prepare_sleep() noexcept override {
    epoch_.store(epoch_.load(std::memory_order_relaxed) + 1,
                 std::memory_order_seq_cst);                               // C1 -> P2
    if (published_.load(std::memory_order_seq_cst) == seen_) return true;  // C2 -> P1
    awake();
    return false;
  }
  void flush() noexcept override {}
  Spinning spinning() const noexcept override { return Spinning::kUseful; }
  void on_ready(std::uint32_t) noexcept override {
    if (epoch_.load(std::memory_order_relaxed) % 2 == 1) awake();
    reactor().make_hot(*this);
  }
  void awake() noexcept { epoch_.store(epoch_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }

  const int bell_;
  coro::Event moved_;
  std::uint64_t seen_ = 0;
  std::uint64_t rung_ = 0;  // the writer's
  std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> epoch_{0};
};

// A lost wake would hang. The writer waits between two messages: not at all, less than the reader spins,
// or more.
TEST(SpinWithThreadsTest, NoWakeIsLostHoweverLongTheReaderSpins) {
  constexpr std::uint64_t kCount = 20'000;
  for (const std::int64_t spin_ns : {std::int64_t{0}, std::int64_t{2'000}, kSpinNs}) {
    test::Harness harness({.spin_ns = spin_ns});
    const UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    Counter counter(harness.reactor(), bell);
    std::thread writer([&counter] {
      for (std::uint64_t i = 1; i <= kCount; ++i) {
        const std::int64_t pause_ns = i % 8 < 4 ? 0 : (i % 8 == 7 ? 20'000 : 500);
        for (const std::int64_t end = now_ns() + pause_ns; now_ns() < end;) {
        }
        counter.publish(i);
      }
    });
    harness.run(counter.wait_until(kCount));
    writer.join();
    if (spin_ns == 0) {
      EXPECT_EQ(harness.reactor().counters().spins, 0U);
    }
  }
}

}  // namespace
}  // namespace wharf::runtime
