// A peer that serves by a Dispatcher.
#include "wharf/tests/ipc/peers/dispatching.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/ipc/dispatcher.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/turns.h"

namespace wharf::test {
namespace {

// What the handlers work on.
struct Desk {
  Peer* peer;
  ipc::Dispatcher* dispatcher;
  DispatchReport report;
  std::uint64_t blocked = 0;
  std::uint64_t stopped = 0;
  coro::Event cued;

  coro::Task<void> multiply(Factors factors, ipc::Message request) {
    const std::int64_t product = std::int64_t{factors.a} * factors.b;
    Status sent = co_await request.reply(ipc::Message(bytes_of(product)));
    static_cast<void>(sent);
  }

  coro::Task<void> block(ipc::Message request) {
    ++blocked;
    report.running_max = std::max(report.running_max, blocked);
    if (blocked == kDispatchRunningMax) peer->cue();
    const bool set = co_await cued.wait();
    --blocked;
    if (!set) ++stopped;
    Status sent = co_await request.reply(ipc::Message("unblocked"));
    static_cast<void>(sent);
  }

  coro::Task<void> tell(ipc::Message request) {
    const ipc::DispatcherCounters counters = dispatcher->counters();
    report.handled = counters.handled;
    report.unknown = counters.unknown;
    report.malformed = counters.malformed;
    Status sent = co_await request.reply(ipc::Message(bytes_of(report)));
    static_cast<void>(sent);
  }
};

coro::Task<void> greet(std::string greeting, Name name, ipc::Message request) {
  const std::string text = greeting + ", " + name.text;
  Status sent = co_await request.reply(ipc::Message(text));
  static_cast<void>(sent);
}

coro::Task<void> throw_up(ipc::Message request) {
  co_await coro::yield();
  throw std::runtime_error(request.to_string());
}

coro::Task<void> unblock_when_cued(Desk& desk) {
  bool cued = co_await desk.peer->until_cued();
  if (cued) desk.cued.set();
}

}  // namespace

// Serves until the link ends, also after a handler has thrown. Then `argument` notes must have been counted, and nothing
// may be blocked.
WHARF_PEER(dispatch) {
  ipc::Dispatcher dispatcher({.running_count_max = kDispatchRunningMax});
  Desk desk{&peer, &dispatcher};
  dispatcher.on<Factors>(kMultiply, &Desk::multiply, &desk);
  dispatcher.on<Name>(kGreet, greet, std::string("ahoy"));
  dispatcher.on(
      kNote,
      [](Desk* at, ipc::Message note) -> coro::Task<void> {
        for (int i = 0; i < 5; ++i) co_await next_turn();
        at->report.notes += note.size_bytes();
      },
      &desk);
  dispatcher.on(kThrow, throw_up);
  dispatcher.on(kBlock, &Desk::block, &desk);
  dispatcher.on(kReport, &Desk::tell, &desk);
  coro::Scope scope;
  scope.spawn(unblock_when_cued(desk));
  while (peer.port().status().ok()) {
    try {
      co_await dispatcher.serve(peer.port());
    } catch (const std::runtime_error& error) {
      WANT_EQ(std::string(error.what()), "thrown");
      ++desk.report.thrown;
    }
  }
  scope.cancel();
  co_await scope.join();
  WANT_EQ(desk.report.notes, peer.argument());
  WANT_EQ(desk.blocked, 0u);
  co_return absl::OkStatus();
}

}  // namespace wharf::test
