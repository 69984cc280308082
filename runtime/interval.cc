#include "wharf/runtime/interval.h"

#include "wharf/runtime/reactor.h"

namespace wharf::runtime {

Interval::Interval(std::chrono::nanoseconds period) noexcept
    : period_ns_(period.count() > 0 ? period.count() : 1),
      next_ns_(deadline_after(Reactor::current().now_ns(), period_ns_)) {}

std::uint64_t Interval::count() noexcept {
  const std::int64_t now = Reactor::current().now_ns();
  const std::int64_t late_ns = now > next_ns_ ? now - next_ns_ : 0;
  const std::int64_t periods = 1 + late_ns / period_ns_;
  next_ns_ = deadline_after(next_ns_, periods * period_ns_);
  return static_cast<std::uint64_t>(periods);
}

}  // namespace wharf::runtime
