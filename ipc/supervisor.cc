#include "wharf/ipc/supervisor.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>

#include "wharf/coro/shield.h"
#include "wharf/coro/when_any.h"
#include "wharf/ipc/inherited_link.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"

namespace wharf::ipc {
namespace {

constexpr int kLinkNumberInChild = 3;
constexpr std::int64_t kNsPerMs = 1'000'000;

// when_any takes tasks: these are the ones it takes here.
coro::Task<void> until_set(coro::Event& event) {
  bool set = co_await event.wait();
  static_cast<void>(set);
}
coro::Task<void> until_closed(Port& port) {
  bool closed = co_await port.closed();
  static_cast<void>(closed);
}
coro::Task<void> until_elapsed(std::int64_t duration_ms) {
  bool elapsed = co_await runtime::sleep_for(std::chrono::milliseconds(duration_ms));
  static_cast<void>(elapsed);
}

std::string name_of(const Worker& worker, const std::string& path) {
  return "worker " + std::to_string(worker.index) + " (" + path + ", pid " + std::to_string(worker.pid) + ")";
}

std::string with_context(const std::string& context, const Status& status) {
  return context + ": " + std::string(status.message());
}

}  // namespace

Supervisor::Supervisor(WorkerOptions options) : options_(std::move(options)), workers_(options_.count) {
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i].index = i;
  start_ended_.set();
}

Supervisor::~Supervisor() { WHARF_CHECK(scope_ == nullptr, "a Supervisor was destroyed before stop()"); }

coro::Task<Status> Supervisor::start() {
  WHARF_CHECK(scope_ == nullptr, "a Supervisor was started twice");
  if (workers_.empty()) co_return absl::InvalidArgumentError("supervisor: at least one worker is wanted");
  scope_ = std::make_unique<coro::Scope>();
  start_ended_.reset();
  for (Worker& worker : workers_) scope_->spawn(keep(worker));
  const bool settled = co_await settled_.wait();
  if (settled && first_failure_.ok()) {
    started_ = true;
    start_ended_.set();
    co_return absl::OkStatus();
  }
  co_await join_all();
  start_ended_.set();
  if (!settled) co_return absl::CancelledError("supervisor: the task was stopped");
  co_return first_failure_;
}

coro::Task<void> Supervisor::stop() {
  if (scope_ == nullptr) co_return;
  if (!start_ended_.is_set()) {
    if (first_failure_.ok()) first_failure_ = absl::CancelledError("supervisor: stopped before every worker was up");
    settled_.set();
    co_await coro::shield(until_set(start_ended_));
  }
  co_await join_all();
}

coro::Task<void> Supervisor::join_all() {
  if (scope_ == nullptr) co_return;
  stop_requested_.set();
  co_await scope_->join();
  scope_.reset();
}

// Keeps one place filled until the supervisor stops.
coro::Task<void> Supervisor::keep(Worker& worker) {
  std::size_t failure_count = 0;
  while (!stop_requested_.is_set()) {
    worker.ready_ns = 0;
    const std::string ended = co_await run_once(worker);
    const bool came_up = worker.ready_ns != 0;
    const std::int64_t now_ns = runtime::Reactor::current().now_ns();
    worker.died_ns = now_ns;
    worker.pid = 0;
    if (stop_requested_.is_set()) break;
    if (!came_up && !started_) {
      if (first_failure_.ok()) first_failure_ = absl::UnavailableError(ended);
      settled_.set();
      break;
    }
    const bool healthy = came_up && now_ns - worker.ready_ns >= options_.healthy_after_ms * kNsPerMs;
    failure_count = healthy ? 0 : failure_count + 1;
    const std::int64_t delay_ms = backoff_ms(failure_count);
    tell(
        came_up ? WorkerEvent::Kind::kEnded : WorkerEvent::Kind::kFailed, worker,
        ended + (delay_ms == 0 ? "; starting it again" : "; starting it again in " + std::to_string(delay_ms) + " ms"));
    if (delay_ms == 0) continue;
    auto first = co_await coro::when_any(until_elapsed(delay_ms), until_set(stop_requested_));
    static_cast<void>(first);
  }
}

// One life of a worker, from its start to its end. Returns how it ended, as one line.
coro::Task<std::string> Supervisor::run_once(Worker& worker) {
  auto ends = Port::end_pair();
  if (!ends.ok()) co_return with_context(options_.path, ends.status());
  runtime::SpawnOptions spawn(options_.path);
  spawn.arguments = options_.arguments;
  spawn.environment = options_.environment;
  spawn.environment.push_back(std::string(kInheritedLinkVariable) + "=" + std::to_string(kLinkNumberInChild));
  spawn.fds.push_back({ends->second.fd(), kLinkNumberInChild});
  auto process = runtime::Process::spawn(spawn);
  if (!process.ok()) co_return with_context("worker program " + options_.path, process.status());
  ends->second.close();
  worker.pid = (*process)->pid();
  ++worker.start_count;
  const std::string name = name_of(worker, options_.path);

  auto opened = co_await coro::when_any(Port::open(std::move(ends->first), options_.port), until_set(stop_requested_));
  if (opened.index() == 1) {
    const std::string ended = co_await end_process(**process, 0);
    co_return name + " " + ended;
  }
  auto& port = std::get<0>(opened);
  if (!port.ok()) {
    // It has ended by itself, or it is something else: then it is ended here.
    const std::string ended = co_await end_process(**process, kFailedGraceMs);
    co_return with_context(name, port.status()) + "; it " + ended;
  }
  worker.port = std::move(*port);
  worker.ready_ns = runtime::Reactor::current().now_ns();
  tell(WorkerEvent::Kind::kReady, worker, name + " is up");
  const auto is_up = [](const Worker& each) { return each.port != nullptr; };
  if (std::all_of(workers_.begin(), workers_.end(), is_up)) settled_.set();

  auto first = co_await coro::when_any((*process)->wait(), until_closed(*worker.port), until_set(stop_requested_));
  if (first.index() == 0 && worker.port->status().ok()) {
    // What the worker published last is read before its port closes; the socket's end is due by now.
    auto last_read =
        co_await coro::when_any(until_closed(*worker.port), until_set(stop_requested_), until_elapsed(kLinkEndMs));
    static_cast<void>(last_read);
  }
  // One that has ended by itself keeps what it received for whoever holds it.
  if (worker.port->status().ok()) worker.port->close();
  worker.port.reset();
  const std::string ended = co_await end_process(**process, options_.drain_ms);
  co_return name + " " + ended;
}

// Gives the process time to end by itself, then kills it. Returns how it ended.
coro::Task<std::string> Supervisor::end_process(runtime::Process& process, std::int64_t grace_ms) {
  const std::int64_t deadline_ns = runtime::deadline_after(runtime::Reactor::current().now_ns(), grace_ms * kNsPerMs);
  auto ended = co_await process.wait({.deadline_ns = deadline_ns});
  if (ended.ok()) co_return ended->text();
  Status killed = process.send_signal(SIGKILL);
  if (!killed.ok()) co_return with_context("cannot be killed", killed);
  ended = co_await process.wait();
  if (!ended.ok()) co_return with_context("was killed", ended.status());
  co_return "did not end by itself, and was killed";
}

void Supervisor::tell(WorkerEvent::Kind kind, const Worker& worker, std::string text) {
  if (observer_) observer_(WorkerEvent{kind, worker, std::move(text)});
}

std::int64_t Supervisor::backoff_ms(std::size_t failure_count) const noexcept {
  if (failure_count == 0) return 0;
  const std::size_t doublings = std::min<std::size_t>(failure_count - 1, 20);
  return std::min(options_.backoff_first_ms << doublings, options_.backoff_max_ms);
}

}  // namespace wharf::ipc
