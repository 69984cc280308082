// The code of docs/guide/processes-and-signals.md.

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/file.h"
#include "wharf/runtime/interval.h"
#include "wharf/runtime/process.h"
#include "wharf/runtime/process_output.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/reader.h"
#include "wharf/runtime/run_main.h"
#include "wharf/runtime/signals.h"

using namespace wharf;
using namespace wharf::runtime;
using namespace std::chrono_literals;

namespace {

coro::Task<Status> run_to_its_end() {
  SpawnOptions options("tr");
  options.search_path = true;
  options.arguments = {"tr", "a-z", "A-Z"};
  StatusOr<ProcessOutput> result = co_await run_process(options, "quay\n");
  if (!result.ok()) co_return result.status();
  std::printf("%s: %s", result->status.text().c_str(), result->output.c_str());
  co_return absl::OkStatus();
}

coro::Task<Status> start_and_watch() {
  SpawnOptions options("/bin/sh");
  options.arguments = {"sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"};
  options.input = SpawnOptions::Standard::kNull;
  options.output = SpawnOptions::Standard::kPipe;
  options.limits = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 64, 64}};
  options.group = SpawnOptions::Group::kNewGroup;
  StatusOr<std::unique_ptr<Process>> child = Process::spawn(options);
  if (!child.ok()) co_return child.status();

  File output((*child)->take_output());
  Reader reader(output);
  StatusOr<std::optional<std::string_view>> line = co_await reader.read_line();
  if (!line.ok()) co_return line.status();

  const std::int64_t soon = deadline_after(Reactor::current().now_ns(), 5'000'000'000);
  StatusOr<ExitStatus> ended = co_await (*child)->terminate({.deadline_ns = soon});
  if (!ended.ok()) co_return ended.status();
  std::printf("%s\n", ended->text().c_str());
  co_return absl::OkStatus();
}

coro::Task<void> beat(int& count) {
  Interval interval(1ms);
  for (;;) {
    std::uint64_t periods = co_await interval.tick();
    if (periods == 0) co_return;  // stopped
    ++count;
    if (count == 3) ::kill(::getpid(), SIGTERM);
  }
}

coro::Task<Status> serve_until_told(SignalSet& signals) {
  int beats = 0;
  StatusOr<int> signal;
  co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
    scope.spawn(beat(beats));
    signal = co_await signals.next();
    scope.cancel();
  });
  if (signal.ok()) std::printf("signal %d after %d beats\n", *signal, beats);
  co_return signal.status();
}

coro::Task<Status> program() {
  StatusOr<std::unique_ptr<SignalSet>> signals = SignalSet::create({SIGTERM, SIGINT});
  if (!signals.ok()) co_return signals.status();
  Status done = co_await run_to_its_end();
  if (done.ok()) done = co_await start_and_watch();
  if (done.ok()) done = co_await serve_until_told(**signals);
  co_return done;
}

}  // namespace

int main() { return run_main(program()); }
