// What a long random use does to an arena: it ends whole, and how far it is broken up in between has a bound.
//
// The bound. A free block of W bytes is missing only if each place for one, at the multiples of W, is touched by a block
// that is out. A block of L bytes touches fewer than L/W + 2 of them. So with R blocks and U bytes out of T there is one as
// soon as U/W + 2R <= T/W: the largest free block is at least a quarter of what is free, divided by the number of blocks
// out (half for the 2, half for rounding to a power of two). T counts the segments of W bytes and more.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/compiler.h"
#include "wharf/shm/arena.h"

namespace wharf::shm {
namespace {

#if defined(__OPTIMIZE__)
constexpr int kSteps = WHARF_SANITIZED != 0 ? 1'000'000 : 10'000'000;
#else
constexpr int kSteps = 1'000'000;
#endif
constexpr std::size_t kMib = 1024 * 1024;
constexpr std::size_t kLimit = 64 * kMib;
constexpr std::size_t kBlocksMax = 400;

class Workload {
 public:
  void step() {
    if (++steps_ % 4096 == 0) wanted_count_ = random_() % kBlocksMax;
    const std::uint64_t what = random_() % 16;
    if (what == 0 && !out_.empty()) {
      OwnBlock& block = any();
      arena_.shrink(block, 1 + random_() % block.capacity_bytes);
    } else if (what == 1 && !out_.empty()) {
      OwnBlock& block = any();
      grown_ += arena_.grow(block, block.capacity_bytes + size(), block.capacity_bytes + 1) ? 1 : 0;
    } else if (out_.size() < wanted_count_ + (what < 9 ? 32 : 0)) {
      OwnBlock block;
      if (arena_.allocate(size(), block) == Allocation::kOk) out_.push_back(block);
    } else if (!out_.empty()) {
      any();
      free_last();
    }
  }
  void finish() {
    while (!out_.empty()) free_last();
  }
  Arena& arena() { return arena_; }
  std::size_t block_count() const { return out_.size(); }
  std::uint64_t grown() const { return grown_; }

 private:
  // 1 B..1 MiB, log-uniform.
  std::size_t size() {
    const std::size_t octave = std::size_t{1} << random_() % 20;
    return octave + random_() % octave;
  }
  // A random block, which is the last from here on.
  OwnBlock& any() {
    std::swap(out_[random_() % out_.size()], out_.back());
    return out_.back();
  }
  void free_last() {
    arena_.free(out_.back().id);
    out_.pop_back();
  }

  std::mt19937_64 random_{20'260'607};
  Arena arena_{kLimit};
  std::vector<OwnBlock> out_;
  std::size_t wanted_count_ = kBlocksMax / 2;
  std::uint64_t steps_ = 0;
  std::uint64_t grown_ = 0;
};

// Of segments that could hold a block of `bytes`.
std::size_t bytes_of_segments_from(Arena& arena, std::uint32_t id_end, std::size_t bytes) {
  std::size_t sum = 0;
  for (std::uint32_t id = 0; id < id_end; ++id) {
    const Segment* segment = arena.segment(id);
    const std::size_t size = segment == nullptr ? 0 : segment->size_bytes() - kArenaDataOffset;
    if (size >= bytes) sum += size;
  }
  return sum;
}

TEST(ArenaWorkloadTest, TenMillionLoansOfEverySizeEndWithTheArenaWholeAndStayWithinTheBound) {
  Workload work;
  std::size_t largest_min = kLimit;
  std::size_t blocks_max = 0;

  for (int step = 1; step <= kSteps; ++step) {
    work.step();
    if (step % 1000 != 0) continue;
    Arena& arena = work.arena();
    const std::size_t largest = arena.free_block_bytes_max();
    const std::size_t next = largest == 0 ? kBlockUnitBytes : 2 * largest;  // no such block is free
    const std::size_t total = bytes_of_segments_from(arena, kSegmentCountMax, next);
    ASSERT_GE(arena.used_bytes() + 2 * work.block_count() * next, total)
        << "step " << step << ": " << work.block_count() << " blocks are out, the largest free one has " << largest;
    // In this workload a megabyte is to be had as long as no more than a fifth is out, without a new segment or with one.
    if (arena.used_bytes() <= kLimit / 5) {
      ASSERT_TRUE(largest >= kMib || arena.segment_bytes() <= kLimit - kMib) << "step " << step;
    }
    if (arena.segment_bytes() == kLimit) largest_min = std::min(largest_min, largest);
    blocks_max = std::max(blocks_max, work.block_count());
  }
  work.finish();

  EXPECT_EQ(work.arena().used_bytes(), 0U);
  EXPECT_EQ(work.arena().free_block_bytes_max(), 8 * kMib) << "the largest segment is whole";
  EXPECT_GT(blocks_max, 300U);
  EXPECT_GT(work.grown(), static_cast<std::uint64_t>(kSteps) / 100);
  RecordProperty("largest_free_block_min_kib", static_cast<int>(largest_min / 1024));
}

}  // namespace
}  // namespace wharf::shm
