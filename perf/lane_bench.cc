// Question: What does the ring of a lane cost per record beyond a bare single-producer ring, and what does a loan cost?
// Method:   Two threads, the writer timed: records of 16, 64 and 1024 bytes are copied in, published every 32 or when the
//           ring is full, copied out and checked by their last byte; credits go back every 32 or when the ring is empty.
//           Both rings have the same number of bytes: 16 KiB as links have, and 256 KiB.
// Floor:    A ring of slots just large enough for a length and the payload, with cached positions, acquire and release.
//           It has no header of 32 bytes, no checks of what the peer wrote, no seq_cst store, no variable records.
// Reading:  The ratio to the floor at the same size and ring. A copy of 1 KiB and the line transfers between two cores are
//           in both. Loan: allocate and free 16 KiB, with one and with 64 blocks out; malloc beside it.

#include <sched.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "wharf/perf/bench.h"
#include "wharf/runtime/base/cpu.h"
#include "wharf/shm/arena.h"
#include "wharf/shm/ring.h"
#include "wharf/shm/segment.h"

namespace wharf::perf {
namespace {

constexpr std::uint64_t kBatch = 32;
constexpr std::size_t kPayloadBytesMax = 1024;

// Between two looks at an empty or full ring; gives the core up when the other side may need it.
class Pause {
 public:
  void operator()() noexcept {
    if (++spins_ % 256 == 0) {
      ::sched_yield();
    } else {
      runtime::cpu_relax();
    }
  }

 private:
  std::uint32_t spins_ = 0;
};

// The floor. One array in ordinary memory; each position on a line of its own.
class BareRing {
 public:
  BareRing(std::size_t ring_bytes, std::size_t payload_bytes)
      : slot_bytes_(payload_bytes + sizeof(std::uint64_t)),
        slot_count_(ring_bytes / slot_bytes_),
        slots_(std::make_unique<std::byte[]>(ring_bytes)) {}

  bool push(const std::byte* payload, std::size_t bytes) noexcept {
    if (head_ - seen_tail_ == slot_count_) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head_ - seen_tail_ == slot_count_) return false;
    }
    std::byte* slot = slots_.get() + head_slot_ * slot_bytes_;
    const std::uint64_t length = bytes;
    std::memcpy(slot, &length, sizeof(length));
    std::memcpy(slot + sizeof(length), payload, bytes);
    if (++head_slot_ == slot_count_) head_slot_ = 0;
    ++head_;
    return true;
  }
  void publish() noexcept { published_.store(head_, std::memory_order_release); }

  bool pop(std::byte* payload, std::size_t& bytes) noexcept {
    if (next_ == seen_head_) {
      seen_head_ = published_.load(std::memory_order_acquire);
      if (next_ == seen_head_) return false;
    }
    const std::byte* slot = slots_.get() + next_slot_ * slot_bytes_;
    std::uint64_t length = 0;
    std::memcpy(&length, slot, sizeof(length));
    std::memcpy(payload, slot + sizeof(length), length);
    bytes = length;
    if (++next_slot_ == slot_count_) next_slot_ = 0;
    ++next_;
    return true;
  }
  void give_credit() noexcept { tail_.store(next_, std::memory_order_release); }

 private:
  const std::size_t slot_bytes_;
  const std::uint64_t slot_count_;
  const std::unique_ptr<std::byte[]> slots_;
  alignas(128) std::atomic<std::uint64_t> published_{0};
  alignas(128) std::atomic<std::uint64_t> tail_{0};
  alignas(128) std::uint64_t head_ = 0;  // of the writer alone
  std::uint64_t head_slot_ = 0;
  std::uint64_t seen_tail_ = 0;
  alignas(128) std::uint64_t next_ = 0;  // of the reader alone
  std::uint64_t next_slot_ = 0;
  std::uint64_t seen_head_ = 0;
};

template <class T>
T value_or_exit(StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

// The subject: two control segments, each read through a mapping of its own, as two processes have them.
class LaneRing {
 public:
  LaneRing(std::size_t ring_bytes, std::size_t)
      : writers_(make(ring_bytes)),
        readers_(make(ring_bytes)),
        writers_at_reader_(adopt(writers_)),
        readers_at_writer_(adopt(readers_)),
        writer_(own(writers_), peer(readers_at_writer_), ring_bytes),
        reader_(own(readers_), peer(writers_at_reader_), ring_bytes, kPayloadBytesMax) {}

  bool push(const std::byte* payload, std::size_t bytes) noexcept {
    std::byte* record = writer_.reserve(shm::record_cells(0, bytes));
    if (record == nullptr) return false;
    shm::RecordHeader header{};
    header.kind = shm::RecordKind::kMessage;
    header.inline_bytes = static_cast<std::uint16_t>(bytes);
    std::memcpy(record, &header, sizeof(header));
    std::memcpy(record + sizeof(header), payload, bytes);
    writer_.commit();
    return true;
  }
  void publish() noexcept { writer_.publish(); }

  bool pop(std::byte* payload, std::size_t& bytes) noexcept {
    shm::RecordView view;
    if (reader_.peek(view) != shm::RingReader::Next::kRecord) return false;
    bytes = view.header.inline_bytes;
    std::memcpy(payload, view.inline_bytes, bytes);
    reader_.pop();
    return true;
  }
  void give_credit() noexcept { reader_.publish(); }

 private:
  static shm::Segment make(std::size_t ring_bytes) {
    shm::SegmentHeader header{};
    header.kind = shm::SegmentKind::kControl;
    header.ring_bytes = static_cast<std::uint32_t>(ring_bytes);
    return value_or_exit(shm::Segment::create(header, shm::control_segment_bytes(ring_bytes, 256)));
  }
  static shm::PeerSegment adopt(shm::Segment& segment) {
    return value_or_exit(shm::PeerSegment::adopt(segment.take_fd(), shm::SegmentKind::kControl, std::size_t{1} << 30));
  }
  static shm::ControlLines& own(shm::Segment& segment) { return *reinterpret_cast<shm::ControlLines*>(segment.data()); }
  static const shm::ControlLines& peer(const shm::PeerSegment& segment) {
    return *reinterpret_cast<const shm::ControlLines*>(segment.data());
  }

  shm::Segment writers_;
  shm::Segment readers_;
  shm::PeerSegment writers_at_reader_;
  shm::PeerSegment readers_at_writer_;
  shm::RingWriter writer_;
  alignas(128) shm::RingReader reader_;
};

// Takes records until `stop` is set and the ring is empty; counts in `received` those that arrived whole.
template <class Ring>
void receive_all(Ring& ring, const std::atomic<bool>& stop, std::uint64_t& received) {
  std::array<std::byte, kPayloadBytesMax> payload;
  std::size_t bytes = 0;
  Pause pause;
  while (true) {
    const bool last = stop.load(std::memory_order_acquire);
    for (std::uint64_t n = 1; ring.pop(payload.data(), bytes); ++n) {
      received += payload[bytes - 1] == std::byte{0x5a} ? 1 : 0;
      if (n % kBatch == 0) ring.give_credit();
    }
    ring.give_credit();
    if (last) return;
    pause();
  }
}

template <class Ring>
void pass_records(benchmark::State& state) {
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const auto ring_bytes = static_cast<std::size_t>(state.range(1)) * 1024;
  const std::vector<std::byte> payload(payload_bytes, std::byte{0x5a});
  auto ring = std::make_unique<Ring>(ring_bytes, payload_bytes);
  std::atomic<bool> stop{false};
  std::uint64_t received = 0;
  std::thread reader([&] { receive_all(*ring, stop, received); });

  std::uint64_t sent = 0;
  Pause pause;
  for (auto _ : state) {
    while (!ring->push(payload.data(), payload_bytes)) {
      ring->publish();
      pause();
    }
    if (++sent % kBatch == 0) ring->publish();
  }
  ring->publish();
  stop.store(true, std::memory_order_release);
  reader.join();

  if (received != sent) state.SkipWithError("a record was lost or damaged");
  state.SetItemsProcessed(static_cast<std::int64_t>(sent));
  state.SetBytesProcessed(static_cast<std::int64_t>(sent * payload_bytes));
}

void RecordBareRing(benchmark::State& state) { pass_records<BareRing>(state); }
void RecordLaneRing(benchmark::State& state) { pass_records<LaneRing>(state); }

void record_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"bytes", "ring_kib"})->ArgsProduct({{16, 64, 1024}, {16, 256}})->UseRealTime();
}
BENCHMARK(RecordBareRing)->Apply(record_sizes)->Apply(steady);
BENCHMARK(RecordLaneRing)->Apply(record_sizes)->Apply(steady);

constexpr std::size_t kLoanBytes = 16 * 1024;

// Allocates a block and frees the oldest of those that are out, so that range(0) stay out.
void LoanArena(benchmark::State& state) {
  shm::Arena arena(8 * 1024 * 1024);
  std::vector<shm::BlockId> out(static_cast<std::size_t>(state.range(0)));
  shm::OwnBlock block;
  for (shm::BlockId& id : out) {
    arena.allocate(kLoanBytes, block);
    id = block.id;
  }
  std::size_t oldest = 0;
  for (auto _ : state) {
    arena.free(std::exchange(out[oldest], {}));
    if (arena.allocate(kLoanBytes, block) != shm::Allocation::kOk) {
      state.SkipWithError("the arena is full");
      break;
    }
    benchmark::DoNotOptimize(block.data);
    out[oldest] = block.id;
    if (++oldest == out.size()) oldest = 0;
  }
}

void LoanMalloc(benchmark::State& state) {
  std::vector<void*> out(static_cast<std::size_t>(state.range(0)));
  for (void*& block : out) block = std::malloc(kLoanBytes);
  std::size_t oldest = 0;
  for (auto _ : state) {
    std::free(out[oldest]);
    out[oldest] = std::malloc(kLoanBytes);
    benchmark::DoNotOptimize(out[oldest]);
    if (++oldest == out.size()) oldest = 0;
  }
  for (void* block : out) std::free(block);
}
BENCHMARK(LoanArena)->ArgName("out")->Arg(1)->Arg(64)->Apply(steady);
BENCHMARK(LoanMalloc)->ArgName("out")->Arg(1)->Arg(64)->Apply(steady);

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) { return wharf::perf::run(argc, argv); }
