#include "wharf/shm/sleep.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/ring.h"
#include "wharf/tests/shm/control_pair.h"

namespace wharf::shm {
namespace {

using test::ControlPair;
using test::Mappings;

// Side 0 sleeps, side 1 rings.
struct Sleep {
  // `word` is that of the last sleep.
  explicit Sleep(std::uint64_t word = 0) : sleeper(slept(pair.own(0), word)), ringer(pair.peer(1)) {}
  static ControlLines& slept(ControlLines& lines, std::uint64_t word) {
    lines.sleep.store(word);
    return lines;
  }
  ControlPair pair;
  Sleeper sleeper;
  Ringer ringer;
};

TEST(SleepTest, APeerThatIsAwakeIsNotRung) {
  Sleep sleep;

  EXPECT_FALSE(sleep.ringer.must_ring(kWantMessages));
  EXPECT_FALSE(sleep.ringer.peer_rests());
  EXPECT_FALSE(sleep.sleeper.asleep());
}

TEST(SleepTest, APeerThatSleepsIsRungForWhatItWantsAndNothingElse) {
  Sleep sleep;

  sleep.sleeper.announce(kWantMessages | kWantMemory, 0);

  EXPECT_TRUE(sleep.sleeper.asleep());
  EXPECT_TRUE(sleep.ringer.peer_rests());
  EXPECT_TRUE(sleep.ringer.must_ring(kWantMessages));
  EXPECT_FALSE(sleep.ringer.must_ring(kWantSpace));
  EXPECT_TRUE(sleep.ringer.must_ring(kWantMemory));
}

TEST(SleepTest, OneSleepIsRungOnceWhateverTheNews) {
  Sleep sleep;
  sleep.sleeper.announce(kWantMessages | kWantSpace, 0);
  ASSERT_TRUE(sleep.ringer.must_ring(kWantMessages));

  sleep.ringer.rung();

  EXPECT_FALSE(sleep.ringer.must_ring(kWantMessages));
  EXPECT_FALSE(sleep.ringer.must_ring(kWantSpace));
  EXPECT_FALSE(sleep.ringer.peer_rests());
}

TEST(SleepTest, ARingThatFailedStaysOwed) {
  Sleep sleep;
  sleep.sleeper.announce(kWantMessages, 0);

  EXPECT_TRUE(sleep.ringer.must_ring(kWantMessages));
  EXPECT_TRUE(sleep.ringer.must_ring(kWantMessages));
  sleep.ringer.rung();

  EXPECT_FALSE(sleep.ringer.must_ring(kWantMessages));
}

TEST(SleepTest, TheNextSleepIsRungAgain) {
  Sleep sleep;
  for (int i = 0; i < 3; ++i) {
    sleep.sleeper.announce(kWantMessages, 0);
    EXPECT_TRUE(sleep.ringer.must_ring(kWantMessages));
    sleep.ringer.rung();

    sleep.sleeper.wake(0);

    EXPECT_FALSE(sleep.sleeper.asleep());
    EXPECT_FALSE(sleep.ringer.must_ring(kWantMessages));
  }
}

TEST(SleepTest, WakingWhileAwakeChangesNothing) {
  Sleep sleep;
  sleep.sleeper.announce(kWantMessages, 0);
  sleep.sleeper.wake(0);
  const std::uint64_t word = sleep.pair.own(0).sleep.load();

  sleep.sleeper.wake(0);

  EXPECT_EQ(sleep.pair.own(0).sleep.load(), word);
}

TEST(SleepTest, TheEpochMayWrap) {
  Sleep sleep(std::uint64_t{0} - 48);
  for (int i = 0; i < 6; ++i) {
    sleep.sleeper.announce(kWantMessages, 0);
    EXPECT_TRUE(sleep.ringer.must_ring(kWantMessages)) << i;
    if (i >= 3) {
      sleep.ringer.rung();
      EXPECT_FALSE(sleep.ringer.must_ring(kWantMessages)) << i;
    }
    sleep.sleeper.wake(0);
  }
}

TEST(SleepTest, ThePeersCpuIsKnownOnceItHasSlept) {
  Sleep sleep;
  bool known = true;
  sleep.ringer.peer_cpu(known);
  EXPECT_FALSE(known);

  sleep.sleeper.announce(kWantMessages, 0);
  EXPECT_EQ(sleep.ringer.peer_cpu(known), 0U);
  EXPECT_TRUE(known);
  sleep.sleeper.wake(5);

  EXPECT_EQ(sleep.ringer.peer_cpu(known), 5U);
}

// A doorbell as links have it, and how often it was rung.
class Doorbell {
 public:
  void ring() {
    const std::uint64_t one = 1;
    if (::write(fd_.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
    rings_.fetch_add(1, std::memory_order_relaxed);
  }
  // Returns once it was rung; ends the process when it is not, long after any ring would have come.
  void wait() {
    pollfd wanted{fd_.get(), POLLIN, 0};
    if (::poll(&wanted, 1, 60'000) != 1) {
      std::cerr << "a wake was lost\n";
      std::abort();
    }
    std::uint64_t count = 0;
    if (::read(fd_.get(), &count, sizeof(count)) != sizeof(count)) std::abort();
  }
  std::uint64_t rings() const { return rings_.load(std::memory_order_relaxed); }

 private:
  runtime::UniqueFd fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<std::uint64_t> rings_{0};
};

// Everything that one side has.
struct Side {
  Side(ControlPair& pair, std::size_t side)
      : writer(pair.own(side), pair.peer(side), ControlPair::kRingBytes),
        reader(pair.own(side), pair.peer(side), ControlPair::kRingBytes, kInlineBytesMax),
        sleeper(pair.own(side)),
        ringer(pair.peer(side)) {}

  void ring_for(std::uint64_t want, Doorbell& peers) {
    if (!ringer.must_ring(want)) return;
    peers.ring();
    ringer.rung();
  }
  bool push(std::uint64_t stream) {
    std::byte* record = writer.reserve(1);
    if (record == nullptr) return false;
    RecordHeader header{};
    header.kind = RecordKind::kMessage;
    header.stream = stream;
    std::memcpy(record, &header, sizeof(header));
    writer.commit();
    return true;
  }

  RingWriter writer;
  RingReader reader;
  Sleeper sleeper;
  Ringer ringer;
  std::uint64_t announced = 0;
  std::uint64_t slept = 0;
};

class SleepStressTest : public ::testing::TestWithParam<Mappings> {};

TEST_P(SleepStressTest, AHundredThousandSleepsLoseNoWake) {
  constexpr std::uint64_t kSleeps = 100'000;
  ControlPair pair(0, GetParam());
  Doorbell doorbell;
  std::atomic<std::uint64_t> seen{0};
  std::atomic<bool> enough{false};

  // Sends the next record once the last was seen, sooner or later after the reader has gone to sleep.
  std::thread thread([&] {
    Side side(pair, 0);
    for (std::uint64_t n = 1; !enough.load(std::memory_order_relaxed); ++n) {
      while (seen.load(std::memory_order_relaxed) != n - 1 && !enough.load(std::memory_order_relaxed)) {
        ::sched_yield();
      }
      for (std::uint64_t i = n * 7 % 64; i > 0; --i) static_cast<void>(side.ringer.peer_rests());
      if (!side.push(n)) continue;
      side.writer.publish();
      side.ring_for(kWantMessages, doorbell);
    }
  });

  Side side(pair, 1);
  std::uint64_t next = 1;
  bool in_order = true;
  while (side.slept < kSleeps && in_order) {
    RecordView view;
    while (side.reader.peek(view) == RingReader::Next::kRecord) {
      in_order = in_order && view.header.stream == next++;
      side.reader.pop();
    }
    side.reader.publish();
    seen.store(next - 1, std::memory_order_relaxed);
    side.sleeper.announce(kWantMessages, 0);
    ++side.announced;
    if (!side.reader.readable_before_sleep()) {
      ++side.slept;
      doorbell.wait();
    }
    side.sleeper.wake(0);
  }
  enough.store(true);
  thread.join();

  EXPECT_TRUE(in_order);
  EXPECT_LE(doorbell.rings(), side.announced) << "more than one ring for a sleep";
}

TEST_P(SleepStressTest, AWriterThatSleepsForSpaceAndAReaderForMessagesPassEverything) {
  constexpr std::uint64_t kRecords = 1'000'000;
  ControlPair pair(0, GetParam());
  Doorbell writers;
  Doorbell readers;
  std::uint64_t writer_announced = 0;

  std::thread thread([&] {
    Side side(pair, 0);
    for (std::uint64_t n = 0; n < kRecords; ++n) {
      while (!side.push(n)) {
        side.writer.publish();
        side.ring_for(kWantMessages, readers);
        side.sleeper.announce(kWantSpace, 0);
        ++side.announced;
        if (!side.writer.freed_before_sleep()) writers.wait();
        side.sleeper.wake(0);
      }
      if (n % 16 == 0 && side.writer.publish()) side.ring_for(kWantMessages, readers);
    }
    side.writer.publish();
    side.ring_for(kWantMessages, readers);
    writer_announced = side.announced;
  });

  Side side(pair, 1);
  std::uint64_t next = 0;
  while (next < kRecords) {
    RecordView view;
    while (side.reader.peek(view) == RingReader::Next::kRecord && view.header.stream == next) {
      ++next;
      side.reader.pop();
      if (next % 32 == 0 && side.reader.publish()) side.ring_for(kWantSpace, writers);
    }
    if (side.reader.publish()) side.ring_for(kWantSpace, writers);
    if (next == kRecords) break;
    side.sleeper.announce(kWantMessages, 0);
    ++side.announced;
    if (!side.reader.readable_before_sleep()) readers.wait();
    side.sleeper.wake(0);
  }
  thread.join();

  EXPECT_EQ(side.reader.violation(), nullptr);
  EXPECT_LE(readers.rings(), side.announced);
  EXPECT_LE(writers.rings(), writer_announced);
}

INSTANTIATE_TEST_SUITE_P(Through, SleepStressTest, ::testing::Values(Mappings::kTwo, Mappings::kOne),
                         [](const auto& through) {
                           return through.param == Mappings::kTwo ? std::string("TwoMappings")
                                                                  : std::string("OneMapping");
                         });

}  // namespace
}  // namespace wharf::shm
