// The ring against a peer that writes anything: RingReader over hostile cells and positions, RingWriter over a hostile
// `consumed`. Whatever comes, nothing outside the ring is touched, the work is bounded, and a violation stays.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "wharf/runtime/base/check.h"
#include "wharf/shm/ring.h"
#include "wharf/tests/fuzz/input.h"

namespace wharf::test {
namespace {

using shm::ControlLines;
using Next = shm::RingReader::Next;

constexpr std::size_t kRingBytes = shm::kRingBytesMin;
constexpr std::size_t kCells = kRingBytes / shm::kCellBytes;

// A control segment in memory of exactly its size, so that AddressSanitizer sees every byte beyond it.
class Lines {
 public:
  Lines() {
    void* memory = std::aligned_alloc(shm::kLineBytes, shm::kRingOffset + kRingBytes);
    std::memset(memory, 0, shm::kRingOffset + kRingBytes);
    lines_ = new (memory) ControlLines{};
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() { std::free(lines_); }

  ControlLines& get() noexcept { return *lines_; }
  std::byte* ring() noexcept { return reinterpret_cast<std::byte*>(lines_) + shm::kRingOffset; }
  bool in_ring(const std::byte* data, std::size_t bytes) noexcept {
    return data >= ring() && bytes <= kRingBytes && data + bytes <= ring() + kRingBytes;
  }

 private:
  ControlLines* lines_;
};

std::uint64_t sum(const std::byte* data, std::size_t bytes) noexcept {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bytes; ++i) total += static_cast<std::uint8_t>(data[i]);
  return total;
}

class Victim {
 public:
  Victim(std::uint64_t start, std::size_t inline_bytes_max) : inline_bytes_max_(inline_bytes_max), start_(start) {
    for (Lines* lines : {&own_, &peer_}) {
      lines->get().published.store(start, std::memory_order_relaxed);
      lines->get().consumed.store(start, std::memory_order_relaxed);
    }
    writer_ = std::make_unique<shm::RingWriter>(own_.get(), peer_.get(), kRingBytes);
    reader_ = std::make_unique<shm::RingReader>(own_.get(), peer_.get(), kRingBytes, inline_bytes_max);
  }

  void step(Input& input) {
    switch (input.byte() % 10) {
      case 0: peer_.get().published.store(input.near(read_), std::memory_order_relaxed); break;
      case 1: peer_.get().consumed.store(input.near(written_), std::memory_order_relaxed); break;
      case 2: input.fill(peer_.ring() + input.below(kCells) * shm::kCellBytes, shm::kCellBytes); break;
      case 3: put_record(input); break;
      case 4: read_all(); break;
      case 5: read_one(); break;
      case 6:
        reader_->publish();
        WHARF_CHECK_EQ(own_.get().consumed.load(std::memory_order_relaxed), read_);
        break;
      case 7: write(1 + input.below(kCells / 2)); break;
      case 8:
        if (input.coin()) writer_->publish();
        if (written_ != start_) retract(start_ + input.below(written_ - start_));
        break;
      default:
        reader_->readable_before_sleep();
        writer_->freed_before_sleep();
        writer_->refresh();
    }
  }

 private:
  // A record that looks like one, so that the fuzzer gets past the first field.
  void put_record(Input& input) {
    shm::RecordHeader header{};
    header.kind = static_cast<shm::RecordKind>(1 + input.byte() % 8);
    header.block_count = static_cast<std::uint16_t>(input.byte() % 4);
    header.inline_bytes = static_cast<std::uint16_t>(input.below(2 * inline_bytes_max_ + 2));
    if (input.coin()) input.fill(&header, 1 + input.below(sizeof(header)));
    const std::uint64_t at = peer_.get().published.load(std::memory_order_relaxed) % kCells;
    std::memcpy(peer_.ring() + at * shm::kCellBytes, &header, sizeof(header));
    if (input.coin()) {
      const std::uint64_t cells = shm::record_cells(header.block_count, header.inline_bytes);
      peer_.get().published.fetch_add(input.coin() ? cells : input.byte(), std::memory_order_relaxed);
    }
  }

  Next read_one() {
    shm::RecordView record{};
    const Next next = reader_->peek(record);
    follow();  // pads are skipped whatever follows them
    if (violated_) WHARF_CHECK(next == Next::kViolation, "a violation stays");
    if (next == Next::kViolation) {
      violated_ = true;
      WHARF_CHECK(reader_->violation() != nullptr, "a violation is named");
    }
    if (next != Next::kRecord) return next;
    const std::size_t descriptor_bytes = record.header.block_count * sizeof(shm::BlockDescriptor);
    WHARF_CHECK(peer_.in_ring(record.descriptors, descriptor_bytes), "descriptors");
    WHARF_CHECK(peer_.in_ring(record.inline_bytes, record.header.inline_bytes), "inline bytes");
    WHARF_CHECK_LE(record.header.inline_bytes, inline_bytes_max_);
    WHARF_CHECK_LE(record.header.block_count, shm::kBlockCountMax);
    WHARF_CHECK_LE(record.header.fd_count, shm::kFdCountMax);
    read_sum_ += sum(record.descriptors, descriptor_bytes) + sum(record.inline_bytes, record.header.inline_bytes);
    if ((record.header.flags & shm::kFlagRequest) != 0) {
      const bool retracted = reader_->claim_retracted();
      WHARF_CHECK(retracted || record.header.retracted == 0, "the mark stays");
    }
    reader_->pop();
    follow();
    return next;
  }
  void follow() {
    WHARF_CHECK_LE(reader_->unpublished_cells(), kCells);
    read_ = own_.get().consumed.load(std::memory_order_relaxed) + reader_->unpublished_cells();
  }
  void read_all() {
    std::size_t count = 0;
    while (read_one() == Next::kRecord) WHARF_CHECK_LE(++count, kCells);
  }

  void write(std::size_t cells) {
    std::byte* at = writer_->reserve(cells);
    if (at == nullptr) return;
    WHARF_CHECK(own_.in_ring(at, cells * shm::kCellBytes), "a reservation");
    std::memset(at, 0x5a, cells * shm::kCellBytes);
    written_ = writer_->commit() + cells;
    WHARF_CHECK_LE(writer_->unpublished_cells(), kCells);
  }

  // Wherever it is, only a byte of our own ring is marked.
  void retract(std::uint64_t position) {
    const auto outcome = writer_->retract(position);
    if (outcome == shm::RingWriter::Retraction::kConsumed) return;
    WHARF_CHECK(own_.in_ring(writer_->record_at(position), shm::kCellBytes), "a mark");
  }

  Lines own_;
  Lines peer_;
  const std::size_t inline_bytes_max_;
  const std::uint64_t start_;
  std::uint64_t read_ = start_;
  std::uint64_t written_ = start_;
  std::uint64_t read_sum_ = 0;
  bool violated_ = false;
  std::unique_ptr<shm::RingWriter> writer_;
  std::unique_ptr<shm::RingReader> reader_;
};

}  // namespace
}  // namespace wharf::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wharf::test::Input input(data, size);
  const std::uint64_t start = input.near(0);
  const std::size_t inline_bytes_max = input.below(wharf::shm::kInlineBytesMax + 1);
  wharf::test::Victim victim(start, inline_bytes_max);
  while (!input.empty()) victim.step(input);
  return 0;
}
