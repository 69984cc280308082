#include "wharf/docs/examples/appserver/router.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "wharf/coro/when_any.h"
#include "wharf/docs/examples/appserver/http_connection.h"
#include "wharf/runtime/dump_on_signal.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timeout.h"
#include "wharf/runtime/timer.h"

namespace appserver {

using wharf::Status;
using wharf::StatusCode;
using wharf::StatusOr;
using wharf::coro::Task;
using wharf::runtime::Reactor;
using wharf::runtime::SignalSet;
using wharf::runtime::TcpListener;
using wharf::runtime::UniqueFd;

namespace {

Task<Status> join(wharf::coro::Scope* scope) {
  co_await scope->join();
  const wharf::coro::StopToken stop = co_await wharf::coro::stop_token();
  co_return stop.stop_requested() ? absl::CancelledError("stopped") : absl::OkStatus();
}

}  // namespace

Router::Router(const Options& options)
    : options_(options), dispatch_(options_), state_{.options = options_, .dispatch = dispatch_} {}

Task<Status> Router::run() {
  state_.started_ns = Reactor::current().now_ns();
  StatusOr<std::unique_ptr<SignalSet>> signals = SignalSet::create({SIGTERM, SIGINT});
  if (!signals.ok()) co_return signals.status();
  signals_ = std::move(*signals);
  StatusOr<std::unique_ptr<SignalSet>> asked = SignalSet::create({SIGUSR1});
  if (!asked.ok()) co_return asked.status();

  wharf::coro::Scope watching;
  watching.spawn(wharf::runtime::dump_on_signal(*std::move(asked)));
  Status served = co_await serve_until_stopped();
  watching.cancel();
  co_await watching.join();
  co_return served;
}

Task<Status> Router::serve_until_stopped() {
  // Before the workers: if the port is taken there is no need for them. Who connects now waits
  // until they are up.
  StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen(options_.host, options_.port);
  if (!listener.ok()) co_return listener.status();
  listener_ = std::move(*listener);

  auto started = co_await wharf::coro::when_any(start_workers(), signals_->next());
  if (started.index() == 0) {
    Status status = std::get<0>(std::move(started));
    if (!status.ok()) co_return status;
    co_await serve();
  }
  co_await dispatch_.stop();
  co_return absl::OkStatus();
}

Task<Status> Router::start_workers() {
  Status started = co_await dispatch_.start();
  if (started.ok() || started.code() == StatusCode::kCancelled) co_return started;
  const std::string text(started.message());
  co_return wharf::runtime::make_status(
      started.code(),
      "the workers did not start: " + text + "; --worker-program must name the appserver_worker of this very build");
}

Task<void> Router::serve() {
  wharf::coro::Scope connections;
  connections.spawn(&Router::accept_connections, this, &connections);
  const bool v6 = options_.host.find(':') != std::string::npos;
  std::printf("appserver: listening on http://%s%s%s:%u/, workers: %u\n", v6 ? "[" : "", options_.host.c_str(),
              v6 ? "]" : "", listener_->port(), options_.workers);
  std::fflush(stdout);
  StatusOr<int> signal = co_await signals_->next();
  static_cast<void>(signal);
  co_await drain(&connections);
}

Task<void> Router::drain(wharf::coro::Scope* connections) {
  std::fprintf(stderr, "appserver: stopping: finishing what is in hand\n");
  state_.draining = true;
  listener_->close();
  connection_ended_.set();
  for (HttpConnection* connection : state_.connections) connection->end_if_idle();
  Status ended = co_await wharf::runtime::with_timeout(std::chrono::milliseconds(options_.drain_ms), join(connections));
  if (!ended.ok()) {
    std::fprintf(stderr, "appserver: --drain-ms has passed: what was left was cut off\n");
  }
}

Task<void> Router::accept_connections(wharf::coro::Scope* connections) {
  while (!state_.draining) {
    if (state_.open_connections >= options_.connections_max) {
      const bool ended = co_await connection_ended_.wait();
      if (!ended) break;
      continue;
    }
    StatusOr<UniqueFd> socket = co_await listener_->accept();
    if (socket.ok()) {
      begin_connection(connections, std::move(*socket));
      continue;
    }
    if (socket.status().code() == StatusCode::kCancelled) break;
    std::fprintf(stderr, "appserver: %s\n", std::string(socket.status().message()).c_str());
    const bool slept = co_await wharf::runtime::sleep_for(std::chrono::milliseconds(100));
    if (!slept) break;
  }
}

// An exception (no memory is left, say) ends the connection that it comes from, and no other: what left a task of the
// scope would stop all of them.
void Router::begin_connection(wharf::coro::Scope* connections, UniqueFd socket) {
  try {
    connections->spawn(&Router::serve_connection, this, std::move(socket));
    ++state_.open_connections;
    ++state_.counters.connections;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "appserver: a connection was closed: %s\n", error.what());
  }
}

Task<void> Router::serve_connection(UniqueFd socket) {
  try {
    HttpConnection connection(std::move(socket), state_);
    co_await connection.serve();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "appserver: a connection was closed: %s\n", error.what());
  }
  --state_.open_connections;
  connection_ended_.set();
  if (!state_.draining) connection_ended_.reset();
}

}  // namespace appserver
