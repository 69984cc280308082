// dump_on_signal: prints what every task of the reactor waits for, whenever a signal comes.
//
//     StatusOr<std::unique_ptr<SignalSet>> signals = SignalSet::create({SIGUSR1});
//     scope.spawn(dump_on_signal(*std::move(signals)));
//
//     $ kill -USR1 PID
//
// It is a task like others, and the dump is made between two turns of them, not in a signal handler: so it may allocate and
// print. A reactor that a task holds up does not get to it; who holds it up is for stall_detector.h to say.
//
// Threads: the reactor's. See signals.h for the other threads of the process, which must block the signal too.
#pragma once

#include <cstdio>
#include <memory>

#include "wharf/coro/task.h"
#include "wharf/runtime/signals.h"

namespace wharf::runtime {

// Ownership: `file` is borrowed.
// Cancel:    honoured; that is how it ends.
coro::Task<void> dump_on_signal(std::unique_ptr<SignalSet> signals, std::FILE* file = stderr);

}  // namespace wharf::runtime
