// Tasks that tests of scopes start.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"

namespace wharf::test {

// Logs "NAME set" or "NAME stopped".
inline coro::Task<void> waits(coro::Event& event, std::vector<std::string>& log, std::string name) {
  const bool set = co_await event.wait();
  log.push_back(name + (set ? " set" : " stopped"));
}

inline coro::Task<void> throws(std::string what) {
  throw std::runtime_error(what);
  co_return;
}

}  // namespace wharf::test
