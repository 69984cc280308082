// The code of docs/guide/structured-concurrency.md.

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "wharf/coro/co_invoke.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/shield.h"
#include "wharf/coro/task.h"
#include "wharf/coro/task_local.h"
#include "wharf/coro/when_all.h"
#include "wharf/coro/when_any.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/timer.h"

using namespace wharf;
using namespace std::chrono_literals;

namespace {

struct Job {
  int number = 0;
};

coro::Task<void> work(Job job) {
  co_await runtime::sleep_for(1ms);
  std::printf("job %d\n", job.number);
}

coro::Task<void> work_on_all(std::vector<Job> jobs) {
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    for (const Job& job : jobs) scope.spawn(work, job);
    co_return;
  });
  std::puts("every job has ended");
}

coro::Task<int> load_user() { co_return 1; }
coro::Task<std::string> load_cart() { co_return "rope, tar"; }

coro::Task<void> several_results() {
  auto [user, cart] = co_await coro::when_all(load_user(), load_cart());
  std::printf("user %d: %s\n", user, cart.c_str());
}

coro::Task<std::string> answer_of(std::string replica, std::chrono::milliseconds time) {
  bool in_time = co_await runtime::sleep_for(time);
  co_return in_time ? replica : "stopped";
}

coro::Task<void> first_of_several() {
  auto first = co_await coro::when_any(answer_of("east", 100ms), answer_of("west", 1ms));
  std::printf("%s won\n",
              std::visit([](const std::string& answer) { return answer.c_str(); }, first));
}

coro::Task<void> beat(int& beats) {
  while (true) {
    bool elapsed = co_await runtime::sleep_for(1ms);
    if (!elapsed) co_return;  // stopped
    ++beats;
  }
}

coro::Task<int> beats_of_a_while() {
  int beats = 0;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    scope.spawn(beat, std::ref(beats));
    while (beats < 3) co_await runtime::sleep_for(1ms);
    scope.cancel();
  });
  co_return beats;
}

coro::Task<void> fail(std::string what) {
  throw std::runtime_error(what);
  co_return;
}

coro::Task<std::size_t> count_failures() {
  co_return co_await coro::with_scope(
      [](coro::Scope& scope) -> coro::Task<std::size_t> {
        scope.spawn(fail, "leak");
        scope.spawn(work, Job{7});
        scope.spawn(fail, "rust");
        co_await scope.join();
        co_return scope.take_errors().size();
      },
      coro::OnError::kCollect);
}

coro::Task<void> write_log() { co_await runtime::sleep_for(1ms); }

coro::Task<void> serve_and_log() {
  co_await runtime::sleep_for(1ms);
  co_await coro::shield(write_log());  // to its end, whoever is stopped
}

constinit coro::TaskLocal<std::string> request_id;

coro::Task<void> log_line(std::string line) {
  const std::string* id = co_await request_id.get();
  std::printf("[%s] %s\n", id != nullptr ? id->c_str() : "-", line.c_str());
}

coro::Task<void> handle() { co_await log_line("handled"); }

coro::Task<void> request() { co_await coro::with_local(request_id, "r-17", handle()); }

coro::Task<Status> program() {
  std::vector<Job> jobs{Job{1}, Job{2}};
  co_await work_on_all(std::move(jobs));
  co_await several_results();
  co_await first_of_several();
  const int beats = co_await beats_of_a_while();
  const std::size_t failures = co_await count_failures();
  co_await serve_and_log();
  co_await request();
  co_await coro::with_scope([](coro::Scope& scope) -> coro::Task<void> {
    int count = 3;
    scope.spawn(coro::co_invoke([count]() -> coro::Task<void> { co_await work(Job{count}); }));
    co_return;
  });
  co_return beats >= 3 && failures == 2 ? absl::OkStatus()
                                        : absl::InternalError("not as the page says");
}

}  // namespace

int main() { return runtime::run_main(program()); }
