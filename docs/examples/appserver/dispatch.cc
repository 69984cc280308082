#include "wharf/docs/examples/appserver/dispatch.h"

#include <chrono>
#include <cstdio>
#include <string>

#include "wharf/docs/examples/appserver/protocol.h"
#include "wharf/runtime/timeout.h"

namespace appserver {
namespace {

using wharf::Status;
using wharf::coro::Task;
using wharf::ipc::Worker;
using wharf::ipc::WorkerEvent;

wharf::ipc::WorkerOptions worker_options(const Options& options) {
  wharf::ipc::WorkerOptions worker(options.worker_program);
  worker.arguments = {options.worker_program, "--requests-max=" + std::to_string(options.worker_requests_max),
                      "--body-bytes-max=" + std::to_string(options.body_bytes_max),
                      "--arena-bytes-max=" + std::to_string(options.arena_bytes_max),
                      "--spin-us=" + std::to_string(options.spin_us)};
  if (!options.root.empty()) worker.arguments.push_back("--root=" + options.root);
  if (options.socket_only) worker.arguments.emplace_back("--socket-only");
  worker.count = options.workers;
  worker.port = link_options(options.socket_only, options.arena_bytes_max);
  if (options.hostile) worker.port.trust = wharf::ipc::Trust::kHostile;
  return worker;
}

}  // namespace

Dispatch::Dispatch(const Options& options) : wait_ms_(options.worker_wait_ms), supervisor_(worker_options(options)) {
  for (std::uint32_t i = 0; i < options.workers; ++i) {
    places_.push_back(std::make_unique<Place>(options.arena_bytes_max));
  }
  supervisor_.on_event([this](const WorkerEvent& event) { on_event(event); });
}

Lease Dispatch::try_lease() {
  const Worker* best = nullptr;
  for (const Worker& worker : supervisor_.workers()) {
    if (worker.port == nullptr || !worker.port->status().ok()) continue;
    // Of equals the first: it is the one most likely to be awake.
    if (best == nullptr || place(worker.index).in_flight < place(best->index).in_flight) {
      best = &worker;
    }
  }
  if (best == nullptr) return {};
  return {*places_[best->index], best->port};
}

Task<Lease> Dispatch::lease() {
  Lease lease = try_lease();
  if (lease) co_return lease;
  Status up = co_await wharf::runtime::with_timeout(std::chrono::milliseconds(wait_ms_), wait_for_worker(&lease));
  static_cast<void>(up);
  co_return lease;
}

Task<Status> Dispatch::wait_for_worker(Lease* lease) {
  while (!*lease) {
    const bool set = co_await worker_up_.wait();
    if (!set) co_return absl::CancelledError("stopped");
    *lease = try_lease();
  }
  co_return absl::OkStatus();
}

void Dispatch::on_event(const WorkerEvent& event) {
  if (event.kind == WorkerEvent::Kind::kReady) {
    worker_up_.set();  // who waits now looks again
    worker_up_.reset();
    if (event.worker.start_count == 1) return;
  }
  std::fprintf(stderr, "appserver: %s\n", event.text.c_str());
}

}  // namespace appserver
