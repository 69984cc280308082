// run_process: a child from its start to its end, with what it says.
//
//     SpawnOptions options("git");
//     options.search_path = true;
//     options.arguments = {"git", "describe"};
//     StatusOr<ProcessOutput> git = co_await run_process(options);
//     if (!git.ok() || !git->status.success()) ...
//
// Threads: the reactor's.
#pragma once

#include <cstddef>
#include <string>

#include "wharf/coro/task.h"
#include "wharf/runtime/process.h"

namespace wharf::runtime {

struct ProcessOutput {
  ExitStatus status;
  std::string output;  // its standard output
  std::string errors;  // its standard error
};

// Starts the child, gives it `input`, and reads what it says until it has ended. `options.input`, `output` and `errors` are
// of no account. The child has a socket as its input, so that one which reads nothing raises no SIGPIPE.
//
// Units:  output_bytes_max for output and errors each.
// Errors: those of Process::spawn
//         ResourceExhausted            it said more than output_bytes_max
//         DeadlineExceeded, Cancelled  as in io.h
// Cancel: honoured. Whenever there is no result, the child has been killed; not what it has started itself.
coro::Task<StatusOr<ProcessOutput>> run_process(SpawnOptions options, std::string input = {},
                                                std::size_t output_bytes_max = std::size_t{1} << 20, IoOptions io = {});

}  // namespace wharf::runtime
