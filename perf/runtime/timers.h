// What the timer benchmarks of wharf, of their floor and of Asio have in common: how many timers live, and where in time.
#pragma once

#include <cstdint>

namespace wharf::perf {

inline constexpr std::uint32_t kLiveTimers = 1'000'000;
inline constexpr std::int64_t kHourNs = 3'600'000'000'000;

// Marsaglia's xorshift: a few instructions, the same numbers for everybody.
class Random {
 public:
  std::uint64_t operator()() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  std::uint32_t index() noexcept { return static_cast<std::uint32_t>((*this)() % kLiveTimers); }
  // Within the hour after the next: none of them expires here.
  std::int64_t after_ns() noexcept {
    return kHourNs + static_cast<std::int64_t>((*this)() % static_cast<std::uint64_t>(kHourNs));
  }

 private:
  std::uint64_t state_ = 88172645463325252;
};

}  // namespace wharf::perf
