#include "wharf/perf/wharf/wharf_duel.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "wharf/runtime/base/sys.h"

namespace wharf::perf {
void fail_with(const Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::_Exit(1);
}

void raise_descriptor_limit() {
  rlimit limit{};
  check(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  check(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

runtime::ReactorOptions reactor_options(const Load& load) {
  runtime::ReactorOptions options;
  if (load.mode == Mode::kAwake) options.spin_ns = runtime::kSpinAlways;
  if (load.mode == Mode::kAsleep) options.spin_ns = 0;
  return options;
}

WharfDuel::WharfDuel(const Load& load, const std::vector<Joined>& links) : load_(load) {
  raise_descriptor_limit();
  for (const auto& [a, b] : links) {
    auto ends = value_or_fail(ipc::Port::end_pair());
    ends_.resize(std::max<std::size_t>(ends_.size(), std::max(a, b) + 1));
    ends_[a].push_back(std::move(ends.first));
    ends_[b].push_back(std::move(ends.second));
  }
}

void WharfDuel::run(Side& side, unsigned process) {
  Ends ends = std::move(ends_[process]);
  ends_.clear();
  auto reactor = value_or_fail(runtime::Reactor::create(reactor_options(load_)));
  reactor->run(open_and_run(side, std::move(ends), process));
}

coro::Task<void> WharfDuel::open_and_run(Side& side, Ends ends, unsigned process) {
  Ports ports;
  for (ipc::PortEnd& end : ends) {
    auto port = co_await ipc::Port::open(std::move(end));
    ports.push_back(value_or_fail(std::move(port)));
  }
  side.ready();
  const std::uint64_t calls_before = runtime::sys::counters().total;
  if (process == 0) {
    co_await run_client(side, ports);
  } else {
    co_await run_server(side, ports, process - 1);
  }
  side.finish();
  side.add_system_calls(runtime::sys::counters().total - calls_before);
  for (auto& port : ports) check(co_await port->close_send());
  for (auto& port : ports) {
    const auto more = co_await port->receive();
    if (more) fail_with(absl::InternalError("a message too many"));
  }
}

}  // namespace wharf::perf
