// The sleep protocol: no system call while the peer is awake, one wake per sleep, and none lost.
//
// The word `sleep` of a control segment, written by its owner alone, is an epoch with the reasons for which the owner
// wants to be woken in its low bits:  bit 0: asleep, or about to be · bits 1-3: Want · the rest counts the sleeps.
//
// Sleeper (the owner)                                 Ringer (the peer)
//   S1 sleep.store(odd epoch | wants, seq_cst)          S2 the news: published, consumed or returned.store(release)
//   S3 load what is wanted, seq_cst                     S4 fence(seq_cst), then sleep.load
//   S5 sleep only if S3 found nothing                   S6 asleep, wants it, not rung for this epoch: ring
//
// No wake is lost: suppose the sleeper sleeps with news unseen. Then S3 read the word as it was before S2, which the fence
// of S4 comes behind; so in the single order of seq_cst operations ([atomics.order]) S1 < S3 < fence, and the load
// of S4 saw this sleep's word or a later one. If it saw this one,
// S6 rang, for this epoch, after S1; the doorbell stays readable until the sleeper looks, so it does not sleep on. If it
// saw a later one, the sleeper had woken in between. A ring that the kernel refused does not mark the epoch as rung, so it
// stays owed and is tried again.
// One wake per sleep: S6 rings once per epoch, and an epoch is one sleep.
// tests/model/sleep.pml is this protocol step by step, searched exhaustively; without S3, or with S4 before S2, it fails.
//
// Cost:    one locked store per sleep, and one fence per turn with news. Both drain the store buffer, which takes longer the
//          more lines are on their way to another core: so news may be published many times, and is followed by one S4.
// Threads: each object belongs to one thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "wharf/shm/format.h"

namespace wharf::shm {

enum Want : std::uint64_t {
  kWantMessages = 2,  // wake me when you publish records
  kWantSpace = 4,     // ... when you have consumed records of mine
  kWantMemory = 8,    // ... when you return blocks of mine
};

class Sleeper {
 public:
  // Epochs go on from what `own` says: 0 in a new segment.
  explicit Sleeper(ControlLines& own) noexcept
      : own_(own), epoch_(own.sleep.load(std::memory_order_relaxed) & kEpochMask) {}

  // S1. The caller then does S3, and calls wake() unless it sleeps.
  void announce(std::uint64_t wants, std::uint32_t cpu) noexcept {
    own_.cpu.store(cpu + 1, std::memory_order_relaxed);
    epoch_ += kEpochStep;
    own_.sleep.store(epoch_ | kAsleep | wants, std::memory_order_seq_cst);  // S1
    asleep_ = true;
  }
  // Awake again, whatever the reason. A relaxed store: a peer that sees it late rings once too often at most.
  void wake(std::uint32_t cpu) noexcept {
    if (!asleep_) return;
    asleep_ = false;
    own_.cpu.store(cpu + 1, std::memory_order_relaxed);
    own_.sleep.store(epoch_, std::memory_order_relaxed);
  }
  bool asleep() const noexcept { return asleep_; }
  // The word of a sleeper that has slept so many times, and is awake.
  static constexpr std::uint64_t awake_word(std::uint64_t sleep_count) noexcept { return sleep_count * kEpochStep; }

 private:
  friend class Ringer;
  static constexpr std::uint64_t kAsleep = 1;
  static constexpr std::uint64_t kEpochStep = 16;
  static constexpr std::uint64_t kEpochMask = ~(kEpochStep - 1);

  ControlLines& own_;
  std::uint64_t epoch_;
  bool asleep_ = false;
};

class Ringer {
 public:
  explicit Ringer(const ControlLines& peer) noexcept : peer_(peer) {}

  // S4 and S6: true if the peer must be rung for news of the kind `want`. Call after S2; then ring, and call rung().
  bool must_ring(std::uint64_t want) noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // S4
    const std::uint64_t word = peer_.sleep.load(std::memory_order_relaxed);
    seen_ = word & Sleeper::kEpochMask;
    return (word & Sleeper::kAsleep) != 0 && (word & want) != 0 && seen_ != rung_;
  }
  // The doorbell that must_ring() asked for was rung.
  void rung() noexcept { rung_ = seen_; }

  // True while the peer sleeps, and nobody has rung for it: it will not send anything by itself soon.
  bool peer_rests() const noexcept {
    const std::uint64_t word = peer_.sleep.load(std::memory_order_relaxed);
    return (word & Sleeper::kAsleep) != 0 && (word & Sleeper::kEpochMask) != rung_;
  }
  // Where the peer ran last; false in `known` if it never said.
  std::uint32_t peer_cpu(bool& known) const noexcept {
    const std::uint32_t cpu = peer_.cpu.load(std::memory_order_relaxed);
    known = cpu != 0;
    return cpu - 1;
  }

 private:
  const ControlLines& peer_;
  std::uint64_t seen_ = 0;
  std::uint64_t rung_ = Sleeper::kAsleep;  // of no epoch: their low bits are 0
};

}  // namespace wharf::shm
