#include "wharf/coro/sync_wait.h"

#include <cstddef>

#include "wharf/coro/detail/fail.h"

namespace wharf::coro::detail {

void SyncWait::drive() noexcept {
  constexpr std::size_t kFramesPerTurn = 1024;  // any number does: nobody else waits for a turn
  while (!executor_.idle()) executor_.run_ready(kFramesPerTurn);
  if (!done_) fail("sync_wait: the task waits for what no task here brings about: run it on a Reactor");
}

}  // namespace wharf::coro::detail
