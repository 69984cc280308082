// A ring under two threads: once through two mappings, as two processes have it, and once through one mapping, so that
// ThreadSanitizer sees a missing order.

#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "wharf/shm/ring.h"
#include "wharf/tests/shm/control_pair.h"

namespace wharf::shm {
namespace {

using test::ControlPair;
using test::Mappings;

constexpr std::uint64_t kRecords = 1'000'000;

// The payload of record `n`: its length, and every word of it.
std::size_t words_of(std::mt19937_64& random) { return random() % 64 == 0 ? random() % 200 : random() % 12; }
std::uint64_t word_of(std::uint64_t n, std::size_t i) { return (n * 0x9e37'79b9'7f4a'7c15) ^ i; }

class RingStressTest : public ::testing::TestWithParam<Mappings> {};

void write_all(RingWriter& writer) {
  std::mt19937_64 random(1);
  std::mt19937_64 batches(2);
  for (std::uint64_t n = 0; n < kRecords; ++n) {
    const std::size_t words = words_of(random);
    RecordHeader header{};
    header.kind = RecordKind::kMessage;
    header.inline_bytes = static_cast<std::uint16_t>(words * 8);
    header.stream = n;
    std::byte* record = nullptr;
    while ((record = writer.reserve(record_cells(0, words * 8))) == nullptr) {
      writer.publish();
      ::sched_yield();
    }
    std::memcpy(record, &header, sizeof(header));
    for (std::size_t i = 0; i < words; ++i) {
      const std::uint64_t word = word_of(n, i);
      std::memcpy(record + sizeof(header) + i * 8, &word, 8);
    }
    writer.commit();
    if (batches() % 8 == 0) writer.publish();
  }
  writer.publish();
}

// Empty, or what was wrong.
std::string read_all(RingReader& reader) {
  std::mt19937_64 random(1);
  std::mt19937_64 batches(3);
  for (std::uint64_t n = 0; n < kRecords; ++n) {
    RecordView view;
    RingReader::Next next = RingReader::Next::kEmpty;
    while ((next = reader.peek(view)) == RingReader::Next::kEmpty) {
      reader.publish();
      ::sched_yield();
    }
    if (next == RingReader::Next::kViolation) return reader.violation();
    const std::size_t words = words_of(random);
    if (view.header.stream != n) return "stream of record " + std::to_string(n);
    if (view.header.inline_bytes != words * 8) return "inline_bytes of record " + std::to_string(n);
    for (std::size_t i = 0; i < words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, view.inline_bytes + i * 8, 8);
      if (word != word_of(n, i)) return "payload of record " + std::to_string(n);
    }
    reader.pop();
    if (batches() % 8 == 0) reader.publish();
  }
  RecordView view;
  if (reader.peek(view) != RingReader::Next::kEmpty) return "a record too many";
  return "";
}

TEST_P(RingStressTest, AMillionRecordsArriveWholeAndInOrder) {
  // The counters pass 2^32 on the way.
  ControlPair pair(0xffff'ffff - kRecords, GetParam());
  RingWriter writer(pair.own(0), pair.peer(0), ControlPair::kRingBytes);
  RingReader reader(pair.own(1), pair.peer(1), ControlPair::kRingBytes, kInlineBytesMax);

  std::thread thread([&] { write_all(writer); });
  const std::string wrong = read_all(reader);
  thread.join();

  EXPECT_EQ(wrong, "");
}

INSTANTIATE_TEST_SUITE_P(Through, RingStressTest, ::testing::Values(Mappings::kTwo, Mappings::kOne),
                         [](const auto& through) {
                           return through.param == Mappings::kTwo ? std::string("TwoMappings")
                                                                  : std::string("OneMapping");
                         });

}  // namespace
}  // namespace wharf::shm
