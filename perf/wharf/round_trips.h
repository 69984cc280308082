// The two sides of round trips on one port.
#pragma once

#include <cstddef>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/perf/contest/side.h"

namespace wharf::perf {

// Sends a message, waits for its answer, and so on while the side says so; then sends the last message.
coro::Task<void> ask(Side& side, ipc::Port& port, std::size_t bytes);

// Answers each message with one of the same size, until it has received the last.
coro::Task<void> answer(Side& side, ipc::Port& port, std::size_t bytes);

}  // namespace wharf::perf
