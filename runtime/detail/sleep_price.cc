#include "wharf/runtime/detail/sleep_price.h"

#include <algorithm>

namespace wharf::runtime::detail {
namespace {

constexpr int kSleepCount = 4;
constexpr std::int64_t kSleepNs = 10'000;  // long enough for the cpu to turn to something else
constexpr std::int64_t kBudgetNs = 500'000;

}  // namespace

SleepPrice measure_sleep_price(Backend& backend) noexcept {
  const std::int64_t start_ns = backend.now_ns();
  backend.wake();
  SleepPrice price{.late_ns = kNever, .wake_ns = backend.now_ns() - start_ns};
  backend.wait(start_ns);  // takes the wake

  std::int64_t now_ns = backend.now_ns();
  for (int i = 0; i < kSleepCount && now_ns - start_ns < kBudgetNs; ++i) {
    const std::int64_t deadline_ns = now_ns + kSleepNs;
    do {
      backend.wait(deadline_ns);
      now_ns = backend.now_ns();
    } while (now_ns < deadline_ns);
    price.late_ns = std::min(price.late_ns, now_ns - deadline_ns);
  }
  return price.late_ns == kNever ? SleepPrice() : price;
}

}  // namespace wharf::runtime::detail
