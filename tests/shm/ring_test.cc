#include "wharf/shm/ring.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/tests/shm/control_pair.h"

namespace wharf::shm {
namespace {

using test::ControlPair;
using test::kStarts;
using Next = RingReader::Next;

constexpr std::size_t kCells = ControlPair::kCells;

RecordHeader message(std::size_t inline_bytes, std::uint64_t stream = 0) {
  RecordHeader header{};
  header.kind = RecordKind::kMessage;
  header.inline_bytes = static_cast<std::uint16_t>(inline_bytes);
  header.stream = stream;
  return header;
}

// Writes a record of text; false if the ring is full.
bool push(RingWriter& writer, const std::string& text, std::uint64_t stream = 0) {
  const RecordHeader header = message(text.size(), stream);
  std::byte* record = writer.reserve(record_cells(0, text.size()));
  if (record == nullptr) return false;
  std::memcpy(record, &header, sizeof(header));
  std::memcpy(record + sizeof(header), text.data(), text.size());
  writer.commit();
  return true;
}

std::string text_of(const RecordView& view) {
  return {reinterpret_cast<const char*>(view.inline_bytes), view.header.inline_bytes};
}

// Takes the next record's text; "" if there is none.
std::string pop(RingReader& reader) {
  RecordView view;
  if (reader.peek(view) != Next::kRecord) return "";
  std::string text = text_of(view);
  reader.pop();
  return text;
}

// One direction of a link, from side 0 to side 1.
struct Ring {
  explicit Ring(std::uint64_t start = 0)
      : pair(start),
        writer(pair.own(0), pair.peer(0), ControlPair::kRingBytes),
        reader(pair.own(1), pair.peer(1), ControlPair::kRingBytes, kInlineBytesMax) {}
  ControlPair pair;
  RingWriter writer;
  RingReader reader;
};

// Fills the ring with records of one cell; returns how many it took.
std::size_t fill(RingWriter& writer) {
  std::size_t count = 0;
  while (push(writer, std::to_string(count))) ++count;
  return count;
}

TEST(RingTest, APlainRecordIsSeenTheShortWayAsTheLongWay) {
  Ring ring;
  ASSERT_TRUE(push(ring.writer, "a plain one", 5));
  RecordView view;
  EXPECT_FALSE(ring.reader.peek_plain(view)) << "it is not published";

  ring.writer.publish();
  ASSERT_TRUE(ring.reader.peek_plain(view));
  EXPECT_EQ(text_of(view), "a plain one");
  EXPECT_EQ(view.header.stream, 5U);
  ring.reader.pop();
  EXPECT_FALSE(ring.reader.peek_plain(view));
  EXPECT_EQ(ring.reader.peek(view), Next::kEmpty);
}

TEST(RingTest, WhatIsNotPlainIsLeftToTheLongWay) {
  const auto refused = [](const RecordHeader& header) {
    Ring ring;
    std::byte* record = ring.writer.reserve(2);
    std::memcpy(record, &header, sizeof(header));
    ring.writer.commit();
    ring.writer.publish();
    RecordView view;
    const bool plain = ring.reader.peek_plain(view);
    // What it is, the other says: whatever the first look made of it.
    Ring same;
    record = same.writer.reserve(2);
    std::memcpy(record, &header, sizeof(header));
    same.writer.commit();
    same.writer.publish();
    EXPECT_EQ(ring.reader.peek(view), same.reader.peek(view));
    return !plain;
  };
  const auto with = [](auto change) {
    RecordHeader header = message(8);
    change(header);
    return header;
  };

  EXPECT_FALSE(refused(message(8)));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.kind = RecordKind::kCredit; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.kind = RecordKind{0}; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.flags = kFlagRequest; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.flags = 0x80; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.fd_count = 1; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.fds_sequence = 1; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.retracted = 1; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.retracted = 2; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.block_count = 1; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.inline_bytes = kInlineBytesMax + 1; })));
  EXPECT_TRUE(refused(with([](RecordHeader& header) { header.inline_bytes = 500; }))) << "beyond what is published";
}

TEST(RingTest, ARecordArrivesWithItsHeaderDescriptorsAndPayload) {
  Ring ring;
  RecordHeader header = message(5, 77);
  header.flags = kFlagRequest;
  header.fd_count = 3;
  header.block_count = 2;
  header.type = 9;
  header.deadline_ns = 123;
  const BlockDescriptor blocks[2] = {{1, 2, 3, 4}, {5, 6, 7, 8}};

  std::byte* record = ring.writer.reserve(record_cells(2, 5));
  ASSERT_NE(record, nullptr);
  std::memcpy(record, &header, sizeof(header));
  std::memcpy(record + sizeof(header), blocks, sizeof(blocks));
  std::memcpy(record + sizeof(header) + sizeof(blocks), "berth", 5);
  ring.writer.commit();
  EXPECT_TRUE(ring.writer.publish());

  RecordView view;
  ASSERT_EQ(ring.reader.peek(view), Next::kRecord);
  EXPECT_EQ(std::memcmp(&view.header, &header, sizeof(header)), 0);
  EXPECT_EQ(std::memcmp(view.descriptors, blocks, sizeof(blocks)), 0);
  EXPECT_EQ(text_of(view), "berth");
}

TEST(RingTest, AnEmptyRingHasNoRecordAndNothingToPublish) {
  Ring ring;
  RecordView view;

  EXPECT_EQ(ring.reader.peek(view), Next::kEmpty);
  EXPECT_FALSE(ring.reader.readable_before_sleep());
  EXPECT_FALSE(ring.writer.publish());
  EXPECT_FALSE(ring.reader.publish());
  ring.reader.pop();
  EXPECT_EQ(ring.reader.peek(view), Next::kEmpty);
}

TEST(RingTest, NothingIsSeenBeforeItIsPublished) {
  Ring ring;
  push(ring.writer, "a");
  push(ring.writer, "b");
  EXPECT_TRUE(ring.writer.unpublished());
  EXPECT_EQ(ring.writer.unpublished_cells(), 2U);
  EXPECT_EQ(pop(ring.reader), "");

  EXPECT_TRUE(ring.writer.publish());

  EXPECT_FALSE(ring.writer.publish());
  EXPECT_EQ(pop(ring.reader), "a");
  EXPECT_EQ(pop(ring.reader), "b");
  EXPECT_EQ(pop(ring.reader), "");
}

TEST(RingTest, ARecordThatIsAbandonedLeavesNoTrace) {
  Ring ring;
  ASSERT_NE(ring.writer.reserve(3), nullptr);

  push(ring.writer, "kept");
  ring.writer.publish();

  EXPECT_EQ(pop(ring.reader), "kept");
  EXPECT_EQ(pop(ring.reader), "");
}

TEST(RingTest, ARecordStaysUntilItIsPopped) {
  Ring ring;
  push(ring.writer, "a");
  ring.writer.publish();
  RecordView view;

  EXPECT_EQ(ring.reader.peek(view), Next::kRecord);
  EXPECT_EQ(ring.reader.peek(view), Next::kRecord);
  EXPECT_EQ(text_of(view), "a");
}

TEST(RingTest, AFullRingIsRefusedAndLosesNothing) {
  for (std::uint64_t start : kStarts) {
    Ring ring(start);

    ASSERT_EQ(fill(ring.writer), kCells);
    EXPECT_FALSE(push(ring.writer, "one too many"));
    ring.writer.publish();

    for (std::size_t i = 0; i < kCells; ++i) ASSERT_EQ(pop(ring.reader), std::to_string(i));
    EXPECT_EQ(pop(ring.reader), "");
  }
}

TEST(RingTest, CellsAreReusedOnlyOnceTheReaderHasPublishedThem) {
  Ring ring;
  fill(ring.writer);
  ring.writer.publish();
  EXPECT_FALSE(ring.writer.freed_before_sleep());

  pop(ring.reader);
  EXPECT_FALSE(push(ring.writer, "x"));
  EXPECT_EQ(ring.reader.unpublished_cells(), 1U);
  EXPECT_TRUE(ring.reader.publish());

  EXPECT_FALSE(ring.reader.publish());
  EXPECT_TRUE(ring.writer.freed_before_sleep());
  EXPECT_TRUE(push(ring.writer, "x"));
  EXPECT_FALSE(ring.writer.freed_before_sleep());
  EXPECT_FALSE(push(ring.writer, "y"));
}

TEST(RingTest, ARecordThatWouldCrossTheEndStartsAtTheBeginning) {
  Ring ring;
  for (std::size_t i = 0; i < kCells - 2; ++i) push(ring.writer, "x");
  ring.writer.publish();
  for (std::size_t i = 0; i < kCells - 2; ++i) ASSERT_EQ(pop(ring.reader), "x");
  ring.reader.publish();
  const std::string text(200, 'y');

  ASSERT_TRUE(push(ring.writer, text));
  EXPECT_EQ(ring.writer.unpublished_cells(), 2 + record_cells(0, 200));
  ring.writer.publish();

  RecordView view;
  ASSERT_EQ(ring.reader.peek(view), Next::kRecord);
  const std::byte* first_cell = reinterpret_cast<const std::byte*>(&ring.pair.peer(1)) + kRingOffset;
  EXPECT_EQ(view.descriptors, first_cell + sizeof(RecordHeader));
  EXPECT_EQ(text_of(view), text);
}

TEST(RingTest, ARecordThatEndsWithTheRingNeedsNoPad) {
  Ring ring;
  for (std::size_t i = 0; i < kCells - 4; ++i) push(ring.writer, "x");
  ring.writer.publish();
  for (std::size_t i = 0; i < kCells - 4; ++i) pop(ring.reader);
  ring.reader.publish();

  push(ring.writer, std::string(224, 'y'));

  EXPECT_EQ(ring.writer.unpublished_cells(), 4U);
  ring.writer.publish();
  EXPECT_EQ(pop(ring.reader).size(), 224U);
}

TEST(RingTest, TheLargestRecordFitsAnEmptyRingAtEveryPlace) {
  for (std::size_t place = 0; place < kCells; ++place) {
    Ring ring(place);

    ASSERT_NE(ring.writer.reserve(kCells / 2), nullptr) << place;

    const RecordHeader header = message(0);
    std::memcpy(ring.writer.reserve(1), &header, sizeof(header));
  }
}

TEST(RingTest, AHeaderThatChangesAfterTheLookIsNotReadAgain) {
  Ring ring;
  push(ring.writer, "honest");
  ring.writer.publish();
  RecordView view;
  ASSERT_EQ(ring.reader.peek(view), Next::kRecord);

  std::memset(ring.pair.ring(0), 0xff, sizeof(RecordHeader));

  EXPECT_EQ(text_of(view), "honest");
  ring.reader.pop();
  EXPECT_EQ(ring.reader.peek(view), Next::kEmpty);
  EXPECT_EQ(ring.reader.violation(), nullptr);
}

TEST(RingTest, RandomRecordsArriveInOrderAcrossEveryWrap) {
  for (std::uint64_t start : kStarts) {
    Ring ring(start);
    std::mt19937_64 random(start + 1);
    std::deque<std::string> sent;
    std::uint64_t refused = 0;

    for (int step = 0; step < 40'000; ++step) {
      switch (random() % 8) {
        case 0: ring.writer.publish(); break;
        case 1: ring.reader.publish(); break;
        case 2:
        case 3:
        case 4: {
          std::string text(1 + random() % (random() % 16 == 0 ? 2000 : 100), ' ');
          for (char& c : text) c = static_cast<char>('a' + random() % 26);
          if (push(ring.writer, text)) {
            sent.push_back(text);
          } else {
            ++refused;
          }
          break;
        }
        default:
          if (const std::string text = pop(ring.reader); !text.empty()) {
            ASSERT_FALSE(sent.empty());
            ASSERT_EQ(text, sent.front()) << "step " << step << ", start " << start;
            sent.pop_front();
          }
      }
    }
    ring.writer.publish();
    for (const std::string& text : sent) ASSERT_EQ(pop(ring.reader), text);

    EXPECT_EQ(pop(ring.reader), "");
    EXPECT_EQ(ring.reader.violation(), nullptr);
    EXPECT_TRUE(ring.writer.refresh());
    EXPECT_GT(refused, 100U) << "the ring was never full";
  }
}

TEST(RingTest, ReadableBeforeSleepSeesWhatWasPublishedSince) {
  Ring ring;
  EXPECT_FALSE(ring.reader.readable_before_sleep());

  push(ring.writer, "a");
  EXPECT_FALSE(ring.reader.readable_before_sleep());
  ring.writer.publish();

  EXPECT_TRUE(ring.reader.readable_before_sleep());
  pop(ring.reader);
  EXPECT_FALSE(ring.reader.readable_before_sleep());
}

TEST(RingDeathTest, ARecordOfMoreThanHalfTheRingAborts) {
  Ring ring;

  EXPECT_DEBUG_DEATH(static_cast<void>(ring.writer.reserve(kCells / 2 + 1)), "R4");
}

}  // namespace
}  // namespace wharf::shm
