// SpinPolicy: whether polling for a while before a sleep is worth it, judged by what came of it lately; and for how
// long: for the price of a sleep.
//
// Ski rental: spinning for about the price of a sleep costs at most twice the best choice, each time.
// But beside processes that need the core, even that is too much if it is always in vain: so after a
// few failures it is only tried now and then.
#pragma once

#include <algorithm>
#include <cstdint>

#include "wharf/runtime/detail/sleep_price.h"

namespace wharf::runtime::detail {

class SpinPolicy {
 public:
  static constexpr std::uint32_t kFailuresMax = 4;   // in a row, before it gives up
  static constexpr std::uint32_t kProbePeriod = 64;  // then it spins once in so many times
  // A measured price is kept within these: a busy machine makes sleeps look dearer than they are.
  static constexpr std::int64_t kPriceMinNs = 5'000;
  static constexpr std::int64_t kPriceMaxNs = 100'000;
  static constexpr std::int64_t kPriceMemory = 16;  // sleeps that the price is a mean of, roughly

  // For a time that is given; 0: never.
  explicit SpinPolicy(std::int64_t spin_ns) noexcept : spin_ns_(spin_ns) {}
  // For the price of a sleep, which overslept() keeps up to date.
  explicit SpinPolicy(const SleepPrice& price) noexcept : tracks_(true), wake_ns_(price.wake_ns) {
    spin_ns_ = priced(price.late_ns);
  }

  std::int64_t spin_ns() const noexcept { return spin_ns_; }

  // Before a sleep.
  bool should_spin() noexcept {
    if (spin_ns_ == 0) return false;
    if (pays()) return true;
    return ++declined_ % kProbePeriod == 0;
  }

  // Whether it has lately been worth it.
  bool pays() const noexcept { return spin_ns_ != 0 && failures_ < kFailuresMax; }
  // A poller had work while the reactor spun.
  void caught() noexcept { failures_ = 0; }
  // The reactor spun for spin_ns, and nothing came.
  void missed() noexcept {
    if (failures_ < kFailuresMax) ++failures_;
  }
  // A poller's doorbell ended a sleep, `gap_ns` after the reactor had run out of work: spinning would
  // have caught it, or nearly. (The gap holds the price of the wake, which is about spin_ns.)
  void woken_after(std::int64_t gap_ns) noexcept {
    if (gap_ns / 2 < spin_ns_) failures_ = 0;
  }
  // A sleep ended so long after its deadline.
  void overslept(std::int64_t late_ns) noexcept {
    if (tracks_) spin_ns_ += (priced(late_ns) - spin_ns_) / kPriceMemory;
  }

 private:
  std::int64_t priced(std::int64_t late_ns) const noexcept {
    return std::clamp(std::min(late_ns, kPriceMaxNs) + wake_ns_, kPriceMinNs, kPriceMaxNs);
  }

  std::int64_t spin_ns_ = 0;
  const bool tracks_ = false;
  const std::int64_t wake_ns_ = 0;
  std::uint32_t failures_ = 0;
  std::uint32_t declined_ = 0;
};

}  // namespace wharf::runtime::detail
