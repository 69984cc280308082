// What the wharf contenders share: a link whose two ends are inherited, and a reactor and a port on each side.
#pragma once

#include <memory>
#include <utility>

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

// Units: as the mode says: always polling, never, or what the library chooses.
runtime::ReactorOptions reactor_options(const Load& load);

// One link: the client's end and the server's.
class WharfDuel : public Duel {
 public:
  explicit WharfDuel(const Load& load)
      : load_(load), ends_(value_or_fail(ipc::Port::end_pair())) {}

  void client(Side& side) final { run(side, std::move(ends_.first), true); }
  void server(Side& side, unsigned) final { run(side, std::move(ends_.second), false); }

 protected:
  // The two sides, each on its own reactor; both are linked when they begin.
  virtual coro::Task<void> run_client(Side& side, ipc::Port& port) = 0;
  virtual coro::Task<void> run_server(Side& side, ipc::Port& port) = 0;

  const Load load_;

 private:
  void run(Side& side, ipc::PortEnd end, bool client);
  coro::Task<void> open_and_run(Side& side, ipc::PortEnd end, bool client);

  std::pair<ipc::PortEnd, ipc::PortEnd> ends_;
};

}  // namespace wharf::perf
