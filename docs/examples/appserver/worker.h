// Worker: the process that answers. It receives requests from the router, each in a task of its
// own.
//
// Threads: one reactor's.
#pragma once

#include <cstdint>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/budget.h"
#include "wharf/docs/examples/appserver/routes.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace appserver {

struct WorkerSettings {
  std::string root;  // of /file; empty: there is none
  std::uint64_t requests_max = 1024;
  std::uint64_t body_bytes_max = std::uint64_t{64} << 20;
  std::uint64_t arena_bytes_max = std::uint64_t{256} << 20;
  bool socket_only = false;
  std::uint64_t spin_us = 50;
};

class Worker {
 public:
  explicit Worker(const WorkerSettings& settings);

  // Serves the router at the other end of `link` until it closes the link, or dies.
  //
  // Errors: the root directory cannot be opened; those of Port::open
  wharf::coro::Task<wharf::Status> serve(wharf::runtime::UniqueFd link);

 private:
  wharf::coro::Task<void> handle(wharf::ipc::Message request, Budget::Share slot);
  wharf::coro::Task<void> handle_http(wharf::ipc::Message* message);
  wharf::coro::Task<void> report_counters(wharf::ipc::Message* message);

  const WorkerSettings settings_;
  wharf::runtime::UniqueFd root_;
  Budget slots_;     // requests; beyond it they wait in the ring
  Budget building_;  // bytes of answers that are being made; the arena has room for all of them
  RouteContext routes_;
  std::uint64_t request_count_ = 0;
};

}  // namespace appserver
