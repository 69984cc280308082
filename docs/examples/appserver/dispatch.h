// Dispatch: gives each request to the worker that has the fewest. It owns the workers.
//
// Threads: the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"
#include "wharf/docs/examples/appserver/budget.h"
#include "wharf/docs/examples/appserver/options.h"
#include "wharf/ipc/port.h"
#include "wharf/ipc/supervisor.h"
#include "wharf/runtime/base/status.h"

namespace appserver {

// A place for a worker, as the router sees it.
struct Place {
  explicit Place(std::uint64_t arena_bytes) : small_uploads(arena_bytes / 4), uploads(arena_bytes - arena_bytes / 4) {}

  std::uint64_t in_flight = 0;      // requests
  std::uint64_t lost_requests = 0;  // that were in a worker when it died
  // Bytes of bodies that are being received for it. Together they fit the arena. A body whose size
  // is not known begins as a small one, and may then wait for its share of the large ones, who wait
  // for nobody: so there is no deadlock.
  Budget small_uploads;
  Budget uploads;
};

// A request's claim on a worker, from the choice to the reply.
class Lease {
 public:
  Lease() noexcept = default;
  Lease(Place& place, std::shared_ptr<wharf::ipc::Port> port) noexcept : place_(&place), port_(std::move(port)) {
    ++place_->in_flight;
  }
  Lease(Lease&& other) noexcept : place_(std::exchange(other.place_, nullptr)), port_(std::move(other.port_)) {}
  Lease& operator=(Lease&& other) noexcept {
    std::swap(place_, other.place_);
    std::swap(port_, other.port_);
    return *this;
  }
  ~Lease() {
    if (place_ != nullptr) --place_->in_flight;
  }

  explicit operator bool() const noexcept { return place_ != nullptr; }
  // Of the worker that was chosen; it may have died since.
  wharf::ipc::Port& port() const noexcept { return *port_; }
  Place& place() const noexcept { return *place_; }

 private:
  Place* place_ = nullptr;
  std::shared_ptr<wharf::ipc::Port> port_;
};

class Dispatch {
 public:
  explicit Dispatch(const Options& options);

  // Every worker is up, or the first failure.
  wharf::coro::Task<wharf::Status> start() { return supervisor_.start(); }
  wharf::coro::Task<void> stop() { return supervisor_.stop(); }

  // The worker with the fewest requests; an empty lease if none is up.
  Lease try_lease();
  // Waits for one to come up. An empty lease: none did in time.
  wharf::coro::Task<Lease> lease();

  std::span<const wharf::ipc::Worker> workers() noexcept { return supervisor_.workers(); }
  const Place& place(std::size_t index) const noexcept { return *places_[index]; }

 private:
  wharf::coro::Task<wharf::Status> wait_for_worker(Lease* lease);
  void on_event(const wharf::ipc::WorkerEvent& event);

  const std::int64_t wait_ms_;
  wharf::ipc::Supervisor supervisor_;
  std::vector<std::unique_ptr<Place>> places_;
  wharf::coro::Event worker_up_;  // set for a moment
};

}  // namespace appserver
