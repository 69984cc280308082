#include "wharf/tests/counts/task_loads.h"

#include <functional>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/counts/loads.h"

namespace wharf::test {
namespace {

constexpr std::uint64_t kWarmUpCount = 1000;

[[gnu::noinline]] coro::Task<std::uint64_t> number(std::uint64_t n) { co_return n; }

coro::Task<void> await_ready_tasks(std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= count; ++i) sum += co_await number(i);
  if (sum != count * (count + 1) / 2) give_up("an await gave another number");
}

coro::Task<void> yield_often(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) co_await coro::yield();
}

coro::Task<void> count_up(std::uint64_t& ended) {
  ++ended;
  co_return;
}

coro::Task<void> spawn_and_join(std::uint64_t count) {
  std::uint64_t ended = 0;
  coro::Scope scope;
  for (std::uint64_t i = 0; i < count; ++i) {
    scope.spawn(&count_up, std::ref(ended));
    co_await scope.join();
  }
  if (ended != count) give_up("a task was not run, or was run twice");
}

class Alarm final : public runtime::Timer {
  void on_expired() noexcept override { give_up("a timer of an hour expired"); }
};

coro::Task<void> set_and_cancel(std::uint64_t count) {
  constexpr std::int64_t kHourNs = 3'600'000'000'000;
  const std::int64_t late_ns = runtime::Reactor::current().now_ns() + kHourNs;
  Alarm beside;
  beside.set(late_ns);
  Alarm alarm;
  for (std::uint64_t i = 0; i < count; ++i) {
    alarm.set(late_ns + static_cast<std::int64_t>(i % 2));
    alarm.cancel();
  }
  co_return;
}

}  // namespace

TaskLoad task_load_of(std::string_view name) noexcept {
  if (name == "task_await") return await_ready_tasks;
  if (name == "task_yield") return yield_often;
  if (name == "task_spawn") return spawn_and_join;
  if (name == "timer_set") return set_and_cancel;
  return nullptr;
}

coro::Task<Tally> run_task_load(TaskLoad load, std::uint64_t count) {
  co_await load(kWarmUpCount);
  const Tally before = tally_now({});
  co_await load(count);
  Tally done = tally_now({}) - before;
  done.sent = count;
  co_return done;
}

}  // namespace wharf::test
