// StallWatch: tells from looks at a reactor's pulse whether one turn holds it up.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>

namespace wharf::runtime::detail {

class StallWatch {
 public:
  static constexpr std::int64_t kLooksPerLimit = 4;

  explicit StallWatch(std::int64_t limit_ns) noexcept : limit_ns_(limit_ns), report_ns_(limit_ns) {}

  // How often to look: a turn that takes 1.25 limits or more is seen, one that takes less than the limit never.
  std::int64_t period_ns() const noexcept { return limit_ns_ / kLooksPerLimit + 1; }

  // `pulse`: Reactor::pulse(). Gives how long the turn has taken at least, when that is more than the limit; and again
  // each time that it has doubled.
  std::optional<std::int64_t> look(std::uint64_t pulse, std::int64_t now_ns) noexcept {
    const bool resting = pulse % 2 == 0;
    const std::int64_t gap_ns = now_ns - looked_ns_;
    looked_ns_ = now_ns;
    if (resting || pulse != pulse_) {
      pulse_ = pulse;
      since_ns_ = now_ns;
      report_ns_ = limit_ns_;
      return std::nullopt;
    }
    // Who comes late himself was not scheduled, and nor was the reactor, maybe: that time proves nothing.
    if (gap_ns > limit_ns_) since_ns_ += gap_ns;
    const std::int64_t held_ns = now_ns - since_ns_;
    if (held_ns < report_ns_) return std::nullopt;
    report_ns_ = 2 * held_ns;
    return held_ns;
  }

 private:
  const std::int64_t limit_ns_;
  std::int64_t report_ns_;
  std::int64_t looked_ns_ = 0;
  std::int64_t since_ns_ = 0;
  std::uint64_t pulse_ = 0;
};

}  // namespace wharf::runtime::detail
