// The code of docs/guide/debugging.md.

#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "wharf/coro/dump.h"
#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/coro/trace.h"
#include "wharf/runtime/dump_on_signal.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/stall_detector.h"
#include "wharf/runtime/timer.h"

using namespace wharf;
using namespace std::chrono_literals;

namespace {

class Bell {
 public:
  void ring() noexcept {
    if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->schedule();
  }

  struct Awaiter {
    static constexpr const char* kWaitsFor = "Bell::heard";

    static bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle,
                       coro::Site site = coro::Site::current()) noexcept {
      bell.waiting_ = &handle.promise();
      bell.waiting_->note_wait(site, *this);
    }
    static void await_resume() noexcept {}

    Bell& bell;
  };
  Awaiter heard() noexcept { return {*this}; }

 private:
  coro::Frame* waiting_ = nullptr;
};

coro::Task<void> watch_keeper(Bell& bell) { co_await bell.heard(); }

coro::Task<void> pilot(coro::Event& tide) {
  const bool came = co_await tide.wait();
  if (came) std::puts("the pilot leaves");
}

coro::Task<void> harbour(coro::Event& tide) { co_await pilot(tide); }

// Holds the reactor up until that has been noticed.
coro::Task<void> count_every_wave(const runtime::StallDetector& detector) {
  co_await coro::yield();
  while (detector.count() == 0) {
  }
}

coro::Task<Status> program(runtime::StallDetector& detector) {
  auto signals = runtime::SignalSet::create({SIGUSR1});
  if (!signals.ok()) co_return signals.status();

  coro::Event tide;
  Bell bell;
  coro::Scope scope;
  scope.spawn(runtime::dump_on_signal(*std::move(signals)));
  scope.spawn(harbour(tide));
  scope.spawn(watch_keeper(bell));
  co_await runtime::sleep_for(5ms);

  std::string text = coro::dump_tasks(runtime::Reactor::current());
  std::printf("%s", text.c_str());

  std::raise(SIGUSR1);
  co_await runtime::sleep_for(5ms);
  co_await count_every_wave(detector);
  co_await runtime::sleep_for(1ms);

  const runtime::ReactorCounters counters = runtime::Reactor::current().counters();
  std::printf("%ju turns, %ju system calls, the longest turn %s\n", std::uintmax_t{counters.turns},
              std::uintmax_t{counters.enters},
              coro::duration_text(counters.longest_turn_ns).c_str());
  tide.set();
  bell.ring();
  scope.cancel();
  co_await scope.join();
  co_return absl::OkStatus();
}

}  // namespace

int main() {
  auto reactor = runtime::Reactor::create();
  if (!reactor.ok()) return EXIT_FAILURE;
  runtime::StallDetector detector(**reactor, 50ms);
  return (*reactor)->run(program(detector)).ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
