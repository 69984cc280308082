// Elsewhere: a thread of its own, with a reactor of its own, on which a test runs one task beside its own reactor's.
//
//     Elsewhere elsewhere(call_from_there(port.handle()));
//     co_await elsewhere.join();
//
// Threads: the test's reactor's.
#pragma once

#include <thread>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/reactor.h"

namespace wharf::test {

class Elsewhere {
 public:
  // The task is started there; what it was called with must be fit for that thread.
  explicit Elsewhere(coro::Task<void> task, const runtime::ReactorOptions& options = {});
  ~Elsewhere() { thread_.join(); }
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;

  // Until the task has ended, and its reactor with it.
  coro::Task<void> join();

 private:
  coro::Event ended_;
  std::thread thread_;
};

}  // namespace wharf::test
