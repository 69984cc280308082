// A ring whose other side writes what the format does not allow: each is found, and named.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "wharf/shm/ring.h"
#include "wharf/tests/shm/control_pair.h"

namespace wharf::shm {
namespace {

using test::ControlPair;
using test::kStarts;
using Next = RingReader::Next;

constexpr std::uint64_t kCells = ControlPair::kCells;
constexpr std::size_t kInlineLimit = 1024;

RecordHeader good_header() {
  RecordHeader header{};
  header.kind = RecordKind::kMessage;
  header.inline_bytes = 10;
  return header;
}

// A reader on side 1; side 0 is the test's to write.
struct Victim {
  explicit Victim(std::uint64_t at = 0)
      : start(at), pair(at), reader(pair.own(1), pair.peer(1), ControlPair::kRingBytes, kInlineLimit) {}

  void put(std::uint64_t position, const RecordHeader& header) {
    std::memcpy(pair.ring(0) + position % kCells * kCellBytes, &header, sizeof(header));
  }
  void publish(std::uint64_t position) { pair.own(0).published.store(position, std::memory_order_release); }
  // What the reader objects to; "" if it sees a record, "empty" if it sees none.
  std::string verdict() {
    RecordView view;
    switch (reader.peek(view)) {
      case Next::kEmpty: return "empty";
      case Next::kRecord: return "";
      case Next::kViolation: break;
    }
    return reader.violation();
  }

  std::uint64_t start;
  ControlPair pair;
  RingReader reader;
};

// The verdict on a record whose header was changed, in a ring where `cells` are published.
std::string verdict_on(const std::function<void(RecordHeader&)>& change, std::uint64_t cells = 4,
                       std::uint64_t start = 0) {
  Victim victim(start);
  RecordHeader header = good_header();
  change(header);
  victim.put(start, header);
  victim.publish(start + cells);
  return victim.verdict();
}

TEST(HostileRingTest, AGoodRecordIsNoViolation) {
  EXPECT_EQ(verdict_on([](RecordHeader&) {}), "");
}

TEST(HostileRingTest, APublishedPositionThatIsImpossibleIsNamed) {
  for (std::uint64_t start : kStarts) {
    for (std::uint64_t wrong : {start + kCells + 1, start - 1, start + (std::uint64_t{1} << 32),
                                start + (std::uint64_t{1} << 63), start - kCells}) {
      Victim victim(start);

      victim.publish(wrong);

      EXPECT_EQ(victim.verdict(), "published") << start << ", " << wrong;
    }
  }
}

TEST(HostileRingTest, APublishedPositionThatGoesBackIsNamed) {
  for (std::uint64_t start : kStarts) {
    Victim victim(start);
    victim.put(start, good_header());
    victim.put(start + 1, good_header());
    victim.publish(start + 2);
    ASSERT_EQ(victim.verdict(), "");
    victim.reader.pop();
    ASSERT_EQ(victim.verdict(), "");
    victim.reader.pop();

    victim.publish(start + 1);

    EXPECT_EQ(victim.verdict(), "published");
  }
}

TEST(HostileRingTest, TheWholeRingMayBePublishedAndNoCellMore) {
  for (std::uint64_t start : kStarts) {
    Victim victim(start);
    for (std::uint64_t i = 0; i < kCells; ++i) victim.put(start + i, good_header());
    victim.publish(start + kCells);

    for (std::uint64_t i = 0; i < kCells; ++i) {
      ASSERT_EQ(victim.verdict(), "");
      victim.reader.pop();
    }

    // All are read, but no cell has been given back yet.
    victim.publish(start + kCells + 1);
    EXPECT_EQ(victim.verdict(), "published");
  }
}

TEST(HostileRingTest, EachFieldOfAHeaderThatIsWrongIsNamed) {
  using H = RecordHeader;
  EXPECT_EQ(verdict_on([](H& h) { h.kind = RecordKind{0}; }), "record.kind");
  EXPECT_EQ(verdict_on([](H& h) { h.kind = RecordKind{8}; }), "record.kind");
  EXPECT_EQ(verdict_on([](H& h) { h.kind = RecordKind{255}; }), "record.kind");
  EXPECT_EQ(verdict_on([](H& h) { h.flags = 64; }), "record.flags");
  EXPECT_EQ(verdict_on([](H& h) { h.flags = 0x80; }), "record.flags");
  EXPECT_EQ(verdict_on([](H& h) { h.retracted = 2; }), "record.retracted");
  EXPECT_EQ(verdict_on([](H& h) { h.fds_sequence = 0x8000'0000; }), "record.fds_sequence");
  EXPECT_EQ(verdict_on([](H& h) { h.fd_count = kFdCountMax + 1; }), "record.fd_count");
  EXPECT_EQ(verdict_on([](H& h) { h.block_count = kBlockCountMax + 1; }), "record.block_count");
  EXPECT_EQ(verdict_on([](H& h) { h.block_count = 0xffff; }), "record.block_count");
  EXPECT_EQ(verdict_on([](H& h) { h.inline_bytes = kInlineLimit + 1; }), "record.inline_bytes");
  EXPECT_EQ(verdict_on([](H& h) { h.inline_bytes = 0xffff; }), "record.inline_bytes");
}

TEST(HostileRingTest, TheLimitsThemselvesAreAllowed) {
  const auto largest = [](RecordHeader& h) {
    h.flags = kFlagsKnown;
    h.fd_count = kFdCountMax;
    h.block_count = kBlockCountMax;
    h.inline_bytes = kInlineLimit;
  };

  EXPECT_EQ(verdict_on(largest, record_cells(kBlockCountMax, kInlineLimit)), "");
}

TEST(HostileRingTest, ARecordLongerThanWhatWasPublishedIsNamed) {
  const auto ten_cells = [](RecordHeader& h) { h.inline_bytes = 600; };

  EXPECT_EQ(verdict_on(ten_cells, 10), "");
  EXPECT_EQ(verdict_on(ten_cells, 9), "record size");
  EXPECT_EQ(verdict_on(ten_cells, 1), "record size");
}

TEST(HostileRingTest, ARecordThatCrossesTheEndOfTheRingIsNamed) {
  const auto ten_cells = [](RecordHeader& h) { h.inline_bytes = 600; };

  EXPECT_EQ(verdict_on(ten_cells, 20, kCells - 10), "");
  EXPECT_EQ(verdict_on(ten_cells, 20, kCells - 9), "record size");
  EXPECT_EQ(verdict_on(ten_cells, 20, kCells - 1), "record size");
}

TEST(HostileRingTest, APadThatStandsAloneIsNamed) {
  const auto pad = [](RecordHeader& h) {
    h = RecordHeader{};
    h.kind = RecordKind::kPad;
  };

  EXPECT_EQ(verdict_on(pad, 10, kCells - 10), "record.kind");
  EXPECT_EQ(verdict_on(pad, 9, kCells - 10), "record.kind");
  EXPECT_EQ(verdict_on(pad, kCells, 0), "record.kind");
}

TEST(HostileRingTest, PadsBehindPadsDoNotKeepTheReaderBusy) {
  Victim victim(kCells - 2);
  RecordHeader pad{};
  pad.kind = RecordKind::kPad;
  victim.put(kCells - 2, pad);
  victim.put(kCells, pad);

  victim.publish(2 * kCells - 2);

  EXPECT_EQ(victim.verdict(), "record.kind");
}

TEST(HostileRingTest, AViolationStaysWhateverTheRingSaysLater) {
  Victim victim;
  victim.publish(kCells + 1);
  ASSERT_EQ(victim.verdict(), "published");

  victim.put(0, good_header());
  victim.publish(1);

  EXPECT_EQ(victim.verdict(), "published");
}

TEST(HostileRingTest, AViolationKeepsTheReaderAwake) {
  Victim victim;

  victim.publish(kCells + 1);

  EXPECT_TRUE(victim.reader.readable_before_sleep());
  EXPECT_EQ(victim.verdict(), "published");
  EXPECT_TRUE(victim.reader.readable_before_sleep());
}

TEST(HostileRingTest, AMillionRandomWordsNeverCrashOrHangTheReader) {
  std::mt19937_64 random(4711);
  std::uint64_t records = 0;
  std::uint64_t violations = 0;
  for (int round = 0; round < 4'000; ++round) {
    Victim victim(random() >> (random() % 64));
    for (std::uint64_t cell = 0; cell < kCells; ++cell) {
      RecordHeader header = good_header();
      header.inline_bytes = static_cast<std::uint16_t>(random() % 200);
      if (random() % 16 == 0) {
        const std::uint64_t word = random() >> (random() % 64);
        std::memcpy(&header, &word, sizeof(word));
      }
      victim.put(cell, header);
    }
    victim.publish(victim.start + random() % (kCells + 2));

    for (std::uint64_t step = 0; step <= kCells; ++step) {
      const std::string verdict = victim.verdict();
      if (!verdict.empty()) {
        violations += verdict == "empty" ? 0 : 1;
        break;
      }
      ASSERT_LT(step, kCells);
      ++records;
      victim.reader.pop();
    }
  }

  EXPECT_GT(records, 1'000U);
  EXPECT_GT(violations, 1'000U);
}

// A writer on side 0; side 1 is the test's to write.
struct Writer {
  explicit Writer(std::uint64_t start) : pair(start), writer(pair.own(0), pair.peer(0), ControlPair::kRingBytes) {
    for (int i = 0; i < 10; ++i) {
      const RecordHeader header = good_header();
      std::memcpy(writer.reserve(1), &header, sizeof(header));
      writer.commit();
    }
    writer.publish();
  }
  void consume(std::uint64_t position) { pair.own(1).consumed.store(position, std::memory_order_release); }
  ControlPair pair;
  RingWriter writer;
};

TEST(HostileRingTest, AConsumedPositionThatIsImpossibleIsFoundAndGivesNoRoom) {
  for (std::uint64_t start : kStarts) {
    for (std::uint64_t wrong :
         {start + 11, start - 1, start + kCells, start - kCells, start + (std::uint64_t{1} << 63)}) {
      Writer side(start);

      side.consume(wrong);

      EXPECT_TRUE(side.writer.freed_before_sleep());
      EXPECT_FALSE(side.writer.refresh()) << start << ", " << wrong;
      std::uint64_t reserved = 0;
      while (side.writer.reserve(1) != nullptr && reserved <= kCells) {
        side.writer.commit();
        ++reserved;
      }
      EXPECT_EQ(reserved, kCells - 10);
    }
  }
}

TEST(HostileRingTest, AConsumedPositionThatGoesBackIsFound) {
  for (std::uint64_t start : kStarts) {
    Writer side(start);
    side.consume(start + 5);
    ASSERT_TRUE(side.writer.refresh());

    side.consume(start + 4);

    EXPECT_FALSE(side.writer.refresh());
  }
}

}  // namespace
}  // namespace wharf::shm
