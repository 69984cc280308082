#include "wharf/docs/examples/appserver/stats.h"

#include <unistd.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "wharf/coro/when_all.h"
#include "wharf/docs/examples/appserver/deadline.h"
#include "wharf/docs/examples/appserver/dispatch.h"
#include "wharf/docs/examples/appserver/protocol.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"

namespace appserver {
namespace {

using nlohmann::json;
using wharf::StatusOr;
using wharf::coro::Task;
using wharf::ipc::Message;
using wharf::ipc::Port;
using wharf::ipc::PortCounters;
using wharf::runtime::Reactor;

constexpr std::int64_t kAnswerMs = 1'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

json port_json(const PortCounters& port) {
  return {
      {"messages_sent", port.messages_sent},
      {"messages_received", port.messages_received},
      {"bytes_sent", port.bytes_sent},
      {"bytes_received", port.bytes_received},
      {"sent_shared_memory", port.sent_shared_memory},
      {"sent_socket", port.sent_socket},
      {"bytes_copied_inline", port.bytes_copied_inline},
      {"bytes_copied_to_arena", port.bytes_copied_to_arena},
      {"bytes_copied_to_files", port.bytes_copied_to_files},
      {"blocks_lent", port.blocks_lent},
      {"blocks_returned_as_payload", port.blocks_returned_as_payload},
      {"blocks_lent_now", port.blocks_lent_now},
      {"arena_used_bytes", port.arena_used_bytes},
      {"arena_segment_bytes", port.arena_segment_bytes},
      {"wakes", port.wakes},
      {"waits", port.waits},
      {"doorbells_rung", port.doorbells_rung},
      {"socket_sends", port.socket_sends},
      {"socket_receives", port.socket_receives},
      {"system_calls", port.system_calls()},
  };
}

json reactor_json(const wharf::runtime::ReactorCounters& reactor) {
  return {
      {"turns", reactor.turns},   {"resumed", reactor.resumed},
      {"enters", reactor.enters}, {"completions", reactor.completions},
      {"sleeps", reactor.sleeps}, {"wakes", reactor.wakes},
      {"spins", reactor.spins},   {"spin_hits", reactor.spin_hits},
      {"posted", reactor.posted}, {"longest_turn_us", reactor.longest_turn_ns / 1000},
  };
}

Task<std::optional<WorkerCounters>> ask(std::shared_ptr<Port> port) {
  if (port == nullptr) co_return std::nullopt;
  const std::int64_t deadline_ns = deadline_in(kAnswerMs);
  Message question(kCounters);
  StatusOr<Message> reply = co_await port->call(std::move(question), {.deadline_ns = deadline_ns});
  WorkerCounters counters;
  if (!reply.ok() || reply->size_bytes() != sizeof(counters)) co_return std::nullopt;
  reply->copy_out(std::as_writable_bytes(std::span(&counters, 1)));
  co_return counters;
}

json worker_json(const wharf::ipc::Worker& worker, const Place& place, const std::optional<WorkerCounters>& counters) {
  json page = {
      {"index", worker.index},
      {"pid", worker.pid},
      {"up", worker.port != nullptr},
      {"starts", worker.start_count},
      {"restarts", worker.start_count == 0 ? 0 : worker.start_count - 1},
      {"in_flight", place.in_flight},
      {"lost_requests", place.lost_requests},
      {"upload_bytes_reserved", place.small_uploads.taken() + place.uploads.taken()},
  };
  if (worker.port == nullptr) return page;
  if (worker.died_ns != 0) {
    page["last_restart_ms"] = static_cast<double>(worker.ready_ns - worker.died_ns) / kNsPerMs;
  }
  page["shared_memory"] = worker.port->uses_shared_memory();
  page["port"] = port_json(worker.port->counters());
  if (counters.has_value()) {
    page["own"] = {
        {"port", port_json(counters->port)},      {"reactor", reactor_json(counters->reactor)},
        {"requests", counters->requests},         {"open_fds", counters->open_fds},
        {"system_calls", counters->system_calls},
    };
  }
  return page;
}

}  // namespace

Task<std::string> stats_page(ServerState& state) {
  std::vector<Task<std::optional<WorkerCounters>>> questions;
  for (const wharf::ipc::Worker& worker : state.dispatch.workers()) {
    questions.push_back(ask(worker.port));
  }
  // Also what brings the router's own numbers up to date: an answer is looked at after the blocks
  // that came home.
  const auto answers = co_await wharf::coro::when_all(std::move(questions));

  Reactor& reactor = Reactor::current();
  json workers = json::array();
  std::uint64_t lost_requests = 0;
  for (const wharf::ipc::Worker& worker : state.dispatch.workers()) {
    const Place& place = state.dispatch.place(worker.index);
    lost_requests += place.lost_requests;
    workers.push_back(worker_json(worker, place, answers[worker.index]));
  }
  json responses;
  for (std::size_t digit = 1; digit < state.counters.responses.size(); ++digit) {
    responses[std::to_string(digit) + "xx"] = state.counters.responses[digit];
  }
  const json page = {
      {"pid", ::getpid()},
      {"uptime_ms", (reactor.now_ns() - state.started_ns) / kNsPerMs},
      {"connections", {{"open", state.open_connections}, {"accepted", state.counters.connections}}},
      {"requests", state.counters.requests},
      {"responses", responses},
      {"lost_requests", lost_requests},
      {"open_fds", count_open_fds()},
      {"system_calls", wharf::runtime::sys::counters().total},
      {"reactor", reactor_json(reactor.counters())},
      {"workers", workers},
  };
  co_return page.dump(2) + "\n";
}

}  // namespace appserver
