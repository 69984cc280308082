// The heart of the sleep protocol under two threads: the sleeper announces itself and looks for news, while the ringer brings
// news and looks for a sleeper. At least one must see the other. With a weaker order on either store neither does, now
// and then, on x86 too (it is the store-buffer litmus test), and the sleeper is never woken.

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/shm/release_ring.h"
#include "wharf/shm/ring.h"
#include "wharf/shm/sleep.h"
#include "wharf/tests/shm/control_pair.h"

namespace wharf::shm {
namespace {

using test::ControlPair;

constexpr std::uint64_t kRounds = 200'000;

// Puts the calling thread on the `nth` processor that it may use, if there are so many: two threads on one processor never
// meet in the few nanoseconds that matter.
void run_on_processor(int nth) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || nth-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof(one), &one);
    return;
  }
}

// Where two threads wait for each other.
class Barrier {
 public:
  // The caller's `nth` visit, from 1.
  void meet(std::uint64_t nth) noexcept {
    arrived_.fetch_add(1, std::memory_order_acq_rel);
    for (int spins = 1; arrived_.load(std::memory_order_acquire) < 2 * nth; ++spins) {
      if (spins % 32768 == 0) ::sched_yield();
    }
  }
  // A few nanoseconds, so that the rounds try every shift of one thread against the other.
  void linger(std::uint64_t loads) const noexcept {
    while (loads-- > 0) arrived_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> arrived_{0};
};

// Runs `found = sleep()` beside `rings = ring()`, then `settle()` alone; returns how often neither held.
template <class Sleep, class Ring, class Settle>
std::uint64_t count_lost(Sleep sleep, Ring ring, Settle settle) {
  Barrier barrier;
  bool rings = false;
  std::thread ringer([&] {
    run_on_processor(0);
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
      barrier.meet(2 * round - 1);
      barrier.linger(round / 64 % 64);
      rings = ring();
      barrier.meet(2 * round);
    }
  });
  std::uint64_t lost = 0;
  std::thread sleeper([&] {
    run_on_processor(1);
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
      barrier.meet(2 * round - 1);
      barrier.linger(round % 64);
      const bool found = sleep();
      barrier.meet(2 * round);
      lost += !found && !rings ? 1 : 0;
      settle();
    }
  });
  ringer.join();
  sleeper.join();
  return lost;
}

// Side 0 writes records and returns blocks; side 1 reads.
class SleepLitmusTest : public ::testing::Test {
 protected:
  void push() {
    RecordHeader header{};
    header.kind = RecordKind::kMessage;
    std::memcpy(writer_.reserve(1), &header, sizeof(header));
    writer_.commit();
    writer_.publish();
  }
  void pop() {
    RecordView view;
    reader_.peek(view);
    reader_.pop();
    reader_.publish();
  }

  ControlPair pair_;
  RingWriter writer_{pair_.own(0), pair_.peer(0), ControlPair::kRingBytes};
  RingReader reader_{pair_.own(1), pair_.peer(1), ControlPair::kRingBytes, kInlineBytesMax};
  ReleaseWriter releases_{pair_.own(0), ControlPair::kRingBytes, ControlPair::kSlots};
  ReleaseReader returned_{pair_.peer(1), ControlPair::kRingBytes, ControlPair::kSlots};
};

TEST_F(SleepLitmusTest, OfAMessageAndASleeperOneIsSeen) {
  Sleeper sleeper(pair_.own(1));
  Ringer ringer(pair_.peer(0));

  const std::uint64_t lost = count_lost(
      [&] {
        sleeper.announce(kWantMessages, 0);
        return reader_.readable_before_sleep();
      },
      [&] {
        push();
        return ringer.must_ring(kWantMessages);
      },
      [&] {
        sleeper.wake(0);
        pop();
      });

  EXPECT_EQ(lost, 0U);
}

TEST_F(SleepLitmusTest, OfSpaceAndASleeperOneIsSeen) {
  Sleeper sleeper(pair_.own(0));
  Ringer ringer(pair_.peer(1));
  push();

  const std::uint64_t lost = count_lost(
      [&] {
        sleeper.announce(kWantSpace, 0);
        return writer_.freed_before_sleep();
      },
      [&] {
        pop();
        return ringer.must_ring(kWantSpace);
      },
      [&] {
        sleeper.wake(0);
        writer_.refresh();
        push();
      });

  EXPECT_EQ(lost, 0U);
}

TEST_F(SleepLitmusTest, OfAReturnedBlockAndASleeperOneIsSeen) {
  Sleeper sleeper(pair_.own(1));
  Ringer ringer(pair_.peer(0));

  const std::uint64_t lost = count_lost(
      [&] {
        sleeper.announce(kWantMemory, 0);
        return returned_.refresh(1) == nullptr && returned_.readable();
      },
      [&] {
        releases_.push(7);
        releases_.publish();
        return ringer.must_ring(kWantMemory);
      },
      [&] {
        sleeper.wake(0);
        returned_.refresh(1);
        returned_.pop();
      });

  EXPECT_EQ(lost, 0U);
}

}  // namespace
}  // namespace wharf::shm
