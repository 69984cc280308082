// Question: What does it cost to take a peer for hostile: per small message, per block, per descriptor?
// Method:   Two ports of one process, of which the receiving one is trusting or hostile, on one thread and reactor: batches
//           of 32 messages are sent and then received, each looked at as its level allows. A block of 16 KiB is shown in
//           place (trusted), handed on untrusted, or copied by make_stable(). A descriptor is one of /dev/null.
// Floor:    The same with the trusted port.
// Reading:  The difference of two lines of one kind; inline payload is copied anyway, and should show none.
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/ipc/port.h"
#include "wharf/perf/bench.h"
#include "wharf/runtime/reactor.h"

namespace wharf::perf {
namespace {

constexpr int kBatch = 32;

enum class Kind { kInline, kBlock, kBlockStable, kFd };

struct Case {
  ipc::Trust trust;
  Kind kind;
};

std::uint64_t look_at(ipc::Message& message, Kind kind) {
  if (kind == Kind::kBlockStable) message.make_stable();
  if (message.part_count() == 0) return 0;
  std::byte first{};
  message.untrusted_part(0).copy_out(0, {&first, 1});
  return static_cast<std::uint64_t>(first);
}

coro::Task<Status> send_batch(ipc::Port& port, const std::string& payload, Kind kind) {
  Status sent;
  for (int i = 0; i < kBatch && sent.ok(); ++i) {
    ipc::Message message(payload);
    if (kind == Kind::kFd) message.attach(runtime::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    sent = co_await port.send(std::move(message));
  }
  co_return sent;
}

coro::Task<void> receive_batch(ipc::Port& port, Kind kind) {
  for (int i = 0; i < kBatch; ++i) {
    auto message = co_await port.receive();
    if (message.has_value()) benchmark::DoNotOptimize(look_at(*message, kind));
  }
}

coro::Task<void> open(runtime::UniqueFd socket, ipc::PortOptions options, std::unique_ptr<ipc::Port>* port) {
  auto opened = co_await ipc::Port::open(std::move(socket), options);
  if (opened.ok()) *port = *std::move(opened);
}

coro::Task<void> measure(benchmark::State* state, Case what) {
  auto sockets = ipc::Port::end_pair();
  if (!sockets.ok()) co_return state->SkipWithError("no sockets");
  ipc::PortOptions options;
  std::unique_ptr<ipc::Port> sender;
  std::unique_ptr<ipc::Port> receiver;
  coro::Scope scope;
  scope.spawn(open(sockets->first.take_socket(), options, &sender));
  options.trust = what.trust;
  scope.spawn(open(sockets->second.take_socket(), options, &receiver));
  co_await scope.join();
  if (sender == nullptr || receiver == nullptr) co_return state->SkipWithError("no link");
  const bool block = what.kind == Kind::kBlock || what.kind == Kind::kBlockStable;
  const std::string payload(block ? 16'384 : 64, 'x');
  for (auto _ : *state) {
    Status sent = co_await send_batch(*sender, payload, what.kind);
    if (!sent.ok()) break;
    co_await receive_batch(*receiver, what.kind);
  }
  state->SetItemsProcessed(state->iterations() * kBatch);
}

void run_case(benchmark::State& state, Case what) {
  auto reactor = runtime::Reactor::create({});
  if (!reactor.ok()) return state.SkipWithError("no reactor");
  (*reactor)->run(measure(&state, what));
}

void inline_message(benchmark::State& state, ipc::Trust trust) { run_case(state, {trust, Kind::kInline}); }
void block(benchmark::State& state, ipc::Trust trust) { run_case(state, {trust, Kind::kBlock}); }
void stable_block(benchmark::State& state, ipc::Trust trust) { run_case(state, {trust, Kind::kBlockStable}); }
void descriptor(benchmark::State& state, ipc::Trust trust) { run_case(state, {trust, Kind::kFd}); }

#define WHARF_BENCH_BOTH(function)                                           \
  BENCHMARK_CAPTURE(function, trusted, ipc::Trust::kTrusted)->Apply(steady); \
  BENCHMARK_CAPTURE(function, hostile, ipc::Trust::kHostile)->Apply(steady)

WHARF_BENCH_BOTH(inline_message);
WHARF_BENCH_BOTH(block);
WHARF_BENCH_BOTH(stable_block);
WHARF_BENCH_BOTH(descriptor);

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) { return wharf::perf::run(argc, argv); }
