// The code of docs/guide/deadlines.md.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "wharf/coro/task.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"

using namespace wharf;
using namespace std::chrono_literals;

namespace {

coro::Task<StatusOr<std::string>> ask(std::chrono::milliseconds duration) {
  const bool elapsed = co_await runtime::sleep_for(duration);
  if (!elapsed) co_return absl::CancelledError("ask: stopped");
  co_return "ahoy";
}

coro::Task<Status> in_time() {
  StatusOr<std::string> answer = co_await runtime::with_timeout(10s, ask(1ms));
  if (!answer.ok()) co_return answer.status();
  std::puts(answer->c_str());
  co_return absl::OkStatus();
}

coro::Task<Status> too_late() {
  StatusOr<std::string> answer = co_await runtime::with_timeout(1ms, ask(1h));
  co_return answer.status();  // DeadlineExceeded
}

// What is left of the time that the callers gave, in nanoseconds.
coro::Task<StatusOr<std::int64_t>> time_left() {
  const std::int64_t deadline_ns = co_await coro::deadline_ns();
  if (deadline_ns == coro::kNoDeadline) co_return deadline_ns;
  co_return deadline_ns - runtime::Reactor::current().now_ns();
}

coro::Task<Status> two_steps(std::int64_t deadline_ns) {
  Status first = co_await runtime::with_deadline(deadline_ns, in_time());
  if (!first.ok()) co_return first;
  StatusOr<std::int64_t> left_ns = co_await runtime::with_deadline(deadline_ns, time_left());
  if (!left_ns.ok()) co_return left_ns.status();
  std::puts(*left_ns < 60'000'000'000 ? "less than a minute is left"
                                      : "more is left than there was");
  co_return absl::OkStatus();
}

coro::Task<int> count() {
  for (int ticks = 0;; ++ticks) {
    const bool elapsed = co_await runtime::sleep_for(100us);
    if (!elapsed) co_return ticks;
  }
}

coro::Task<Status> program() {
  Status late = co_await too_late();
  std::puts(std::string(late.message()).c_str());

  const std::int64_t now_ns = runtime::Reactor::current().now_ns();
  Status steps = co_await two_steps(runtime::deadline_after(now_ns, 60'000'000'000));
  if (!steps.ok()) co_return steps;

  runtime::Timed<int> ticks = co_await runtime::stop_after(5ms, count());
  std::printf("%d ticks, expired: %d\n", ticks.value, ticks.expired);
  co_return absl::OkStatus();
}

}  // namespace

int main() { return runtime::run_main(program()); }
