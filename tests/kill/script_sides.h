// The two sides of the script, which either process may take.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"

namespace wharf::test {

// Sends the lines in order. `published(n)` is called when the first n of them are out of this process's hands. Ends at
// the first error, and gives it.
coro::Task<Status> send_script(ipc::Port& port, std::function<void(std::size_t)> published);

// What one side has received. Messages are kept until a request of kRelease: that is, their blocks.
struct Received {
  std::vector<ipc::Message> held;
  std::vector<ipc::Message> held_requests;
  std::size_t line_count = 0;
  std::string wrong;  // the first thing that was: lost, doubled, out of order, or changed
};

// Receives to the end of the link, checks every line, and answers requests. `answered` is called when an answer is out.
// Gives the status of the first answer that could not be sent.
coro::Task<Status> serve_script(ipc::Port& port, Received& received, std::function<void()> answered);

// What is wrong with the payload of a line, kept or new; empty if nothing is.
std::string check_line(const ipc::Message& message, std::size_t line);

}  // namespace wharf::test
