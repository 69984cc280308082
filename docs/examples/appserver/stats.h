// The page /stats: what router and workers have done so far, as JSON.
//
// Threads: the reactor's.
#pragma once

#include <string>

#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/server_state.h"

namespace appserver {

// Asks each worker for its own counters, and waits a second for them at most; who does not answer
// is left out.
wharf::coro::Task<std::string> stats_page(ServerState& state);

}  // namespace appserver
