#include "wharf/runtime/dump_on_signal.h"

#include "wharf/coro/dump.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {

coro::Task<void> dump_on_signal(std::unique_ptr<SignalSet> signals, std::FILE* file) {
  for (;;) {
    const StatusOr<int> signal = co_await signals->next();
    if (!signal.ok()) co_return;
    coro::dump_tasks(Reactor::current(), file);
  }
}

}  // namespace wharf::runtime
