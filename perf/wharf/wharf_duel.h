// What the wharf contenders share: links whose two ends are inherited, and on each side a reactor and its ports.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/perf/contest/contest.h"
#include "wharf/runtime/reactor.h"

namespace wharf::perf {

[[noreturn]] void fail_with(const Status& status);
template <class T>
T value_or_fail(StatusOr<T> result) {
  if (!result.ok()) fail_with(result.status());
  return *std::move(result);
}
inline void check(const Status& status) {
  if (!status.ok()) fail_with(status);
}

// A thousand links are more descriptors than a program may have by default.
void raise_descriptor_limit();

// Units: as the mode says: always polling, never, or what the library chooses.
runtime::ReactorOptions reactor_options(const Load& load);

using Ports = std::vector<std::unique_ptr<ipc::Port>>;

// The processes that a link joins: 0 is the client, 1 + i is server i.
using Joined = std::pair<unsigned, unsigned>;

// By default one link, of one client and one server.
class WharfDuel : public Duel {
 public:
  explicit WharfDuel(const Load& load) : WharfDuel(load, {{0, 1}}) {}
  WharfDuel(const Load& load, const std::vector<Joined>& links);

  void client(Side& side) final { run(side, 0); }
  void server(Side& side, unsigned index) final { run(side, 1 + index); }

 protected:
  // The two sides, each on its own reactor, with the ports of its links in their order. They begin when all are linked; a
  // port is closed when both of its ends have sent all.
  virtual coro::Task<void> run_client(Side& side, Ports& ports) = 0;
  virtual coro::Task<void> run_server(Side& side, Ports& ports, unsigned index) = 0;

  const Load load_;

 private:
  using Ends = std::vector<ipc::PortEnd>;

  void run(Side& side, unsigned process);
  coro::Task<void> open_and_run(Side& side, Ends ends, unsigned process);

  std::vector<Ends> ends_;  // of each process
};

}  // namespace wharf::perf
