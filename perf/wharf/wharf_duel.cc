#include "wharf/perf/wharf/wharf_duel.h"

#include <cstdio>
#include <cstdlib>

namespace wharf::perf {

void fail_with(const Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::_Exit(1);
}

runtime::ReactorOptions reactor_options(const Load& load) {
  runtime::ReactorOptions options;
  if (load.mode == Mode::kAwake) options.spin_ns = runtime::kSpinAlways;
  if (load.mode == Mode::kAsleep) options.spin_ns = 0;
  return options;
}

void WharfDuel::run(Side& side, ipc::PortEnd end, bool client) {
  auto reactor = value_or_fail(runtime::Reactor::create(reactor_options(load_)));
  reactor->run(open_and_run(side, std::move(end), client));
}

coro::Task<void> WharfDuel::open_and_run(Side& side, ipc::PortEnd end, bool client) {
  auto port = co_await ipc::Port::open(std::move(end));
  if (!port.ok()) fail_with(port.status());
  side.ready();
  if (client) {
    co_await run_client(side, **port);
  } else {
    co_await run_server(side, **port);
  }
  side.finish();
  // The last message is on its way: the peer ends the link when it has it.
  if (client) co_await (*port)->closed();
}

}  // namespace wharf::perf
