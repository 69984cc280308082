// The workers of the storm, and a router that dies with its workers at work.
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/ipc/supervisor.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/turns.h"
#include "wharf/tests/kill/storm.h"

namespace wharf::test {

// Answers with the payload and the descriptors that came, each time in another memory: its own, or the request's. It
// holds the last few requests' blocks.
WHARF_PEER(storm_worker) {
  std::vector<ipc::Message> held;
  std::uint64_t count = 0;
  while (auto request = co_await peer.port().receive()) {
    ipc::Message answer(request->type());
    std::string payload;
    if (++count % 2 == 0 && peer.port().uses_shared_memory() && request->size_bytes() > kStormInlineBytes) {
      answer.append_blocks_of(*request);
    } else {
      payload = request->to_string();
      answer.append(payload);
    }
    for (std::size_t i = 0; i < request->fd_count(); ++i) answer.attach(request->take_fd(i));
    Status sent = co_await request->reply(std::move(answer));
    WANT(ended_or_ok(sent));
    held.push_back(*std::move(request));
    if (held.size() == 4) held.clear();
  }
  co_return absl::OkStatus();
}

namespace {

coro::Task<void> keep_busy(ipc::Port& port) {
  const std::string payload = pattern(10'000);
  while (port.status().ok()) {
    auto reply = co_await port.call(ipc::Message(1, payload));
    static_cast<void>(reply);
  }
}

}  // namespace

// A router: keeps `argument` workers busy, tells their numbers, and goes on until it is killed.
WHARF_PEER(storm_router) {
  PeerSetup setup = peer_setup("storm_worker");  // whatever the program is called
  setup.orphan = true;                           // nobody but its link tells a worker that the router is dead
  char path[4096] = {};
  WANT(::readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
  ipc::WorkerOptions options(path);
  options.arguments = {setup.program, encode(setup)};
  options.count = peer.argument();
  ipc::Supervisor supervisor(options);
  Status started = co_await supervisor.start();
  WANT_OK(started);
  coro::Scope scope;
  for (const ipc::Worker& worker : supervisor.workers()) {
    scope.spawn(keep_busy(*worker.port));
    Status told = co_await peer.port().send(ipc::Message(bytes_of(worker.pid)));
    WANT_OK(told);
  }
  co_await scope.join();
  co_return absl::InternalError("a worker has ended");
}

}  // namespace wharf::test
