// Router: the process that clients see. It accepts connections, and gives their requests to
// workers.
//
// Threads: one reactor's.
#pragma once

#include <memory>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/dispatch.h"
#include "wharf/docs/examples/appserver/options.h"
#include "wharf/docs/examples/appserver/server_state.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/signals.h"
#include "wharf/runtime/tcp.h"

namespace appserver {

class Router {
 public:
  explicit Router(const Options& options);

  // Serves until SIGTERM or SIGINT; then finishes what it has begun.
  //
  // Errors: why it could not start, with the remedy where one is known
  wharf::coro::Task<wharf::Status> run();

 private:
  wharf::coro::Task<wharf::Status> serve_until_stopped();
  wharf::coro::Task<wharf::Status> start_workers();
  wharf::coro::Task<void> serve();
  wharf::coro::Task<void> accept_connections(wharf::coro::Scope* connections);
  void begin_connection(wharf::coro::Scope* connections, wharf::runtime::UniqueFd socket);
  wharf::coro::Task<void> serve_connection(wharf::runtime::UniqueFd socket);
  wharf::coro::Task<void> drain(wharf::coro::Scope* connections);

  const Options options_;
  Dispatch dispatch_;
  ServerState state_;
  std::unique_ptr<wharf::runtime::SignalSet> signals_;
  std::unique_ptr<wharf::runtime::TcpListener> listener_;
  wharf::coro::Event connection_ended_;  // set for a moment
};

}  // namespace appserver
