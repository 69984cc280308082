// run_main: the whole of a program's main(), when that is one task.
//
//     int main() { return wharf::runtime::run_main(serve()); }
#pragma once

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {

// Runs `main` on a reactor of its own. Returns the exit code of the process: 0 if it gave OK; 1 otherwise, with one
// line on stderr that says why.
//
// Errors: an exception that leaves `main` is thrown here.
int run_main(coro::Task<Status> main, const ReactorOptions& options = {});

}  // namespace wharf::runtime
