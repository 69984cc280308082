#include "wharf/runtime/stall_detector.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "wharf/coro/dump.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/detail/signals_blocked.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {
namespace {

constexpr std::int64_t kLimitMinNs = 1'000;
constexpr std::int64_t kPrintPeriodNs = 1'000'000'000;

}  // namespace

std::string stall_text(const Stall& stall) {
  std::string text = "a turn has taken " + coro::duration_text(stall.held_ns) + "; now runs ";
#if !WHARF_TASK_TRACE
  return text + "a task that this build (task_trace=false) does not know";
#endif
  if (stall.where.line() == 0) return text + "no task";
  return text + coro::function_of(stall.where.function_name()) + ", " + coro::place_of(stall.where);
}

void print_stall(const Stall& stall) {
  static std::mutex mutex;
  static std::int64_t next_ns = 0;
  static std::uint64_t left_out = 0;
  const std::lock_guard lock(mutex);
  const std::int64_t now = now_ns();
  if (now < next_ns) {
    ++left_out;
    return;
  }
  next_ns = now + kPrintPeriodNs;
  std::string text = "wharf: " + stall_text(stall);
  if (left_out != 0) text += " (" + std::to_string(std::exchange(left_out, 0)) + " more before)";
  std::fprintf(stderr, "%s\n", text.c_str());
}

StallDetector::StallDetector(const Reactor& reactor, std::chrono::nanoseconds limit, Report report)
    : reactor_(reactor), watch_(std::max<std::int64_t>(limit.count(), kLimitMinNs)), report_(std::move(report)) {
  const detail::SignalsBlocked blocked;
  thread_ = std::thread([this] { watch(); });
}

StallDetector::~StallDetector() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void StallDetector::watch() {
  const std::chrono::nanoseconds period(watch_.period_ns());
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, period, [this] { return ending_; })) {
    const std::uint64_t pulse = reactor_.pulse();
    const std::optional<std::int64_t> held_ns = watch_.look(pulse, now_ns());
    if (!held_ns.has_value()) continue;
    const Stall stall{.held_ns = *held_ns, .turn = pulse / 2, .where = reactor_.running_at()};
    if (reactor_.pulse() != pulse) continue;  // it went on meanwhile, and the place may be another turn's
    report_(stall);
    count_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace wharf::runtime
