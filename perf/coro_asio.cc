// The peer of coro_bench.cc: the same on Boost.Asio, as its documentation has it: an awaitable that is ready; post, which
// lets the others have their turn; co_spawn whose end is awaited.
#include <benchmark/benchmark.h>
#include <boost/asio.hpp>

#include "wharf/perf/bench.h"

namespace wharf::perf {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

template <class Body>
void run_awaitable(benchmark::State& state, Body body) {
  asio::io_context context(1);
  asio::co_spawn(context, body(state), asio::detached);
  context.run();
}

[[gnu::noinline]] awaitable<int> awaitable_number(int n) { co_return n; }

void AwaitAsio(benchmark::State& state) {
  run_awaitable(state, [](benchmark::State& timed) -> awaitable<void> {
    int sum = 0;
    for (auto _ : timed) {
      const int n = co_await awaitable_number(1);
      benchmark::DoNotOptimize(sum += n);
    }
  });
}
BENCHMARK(AwaitAsio)->Apply(in_turns);

void YieldAsio(benchmark::State& state) {
  run_awaitable(state, [](benchmark::State& timed) -> awaitable<void> {
    for (auto _ : timed) {
      co_await asio::post(use_awaitable);
    }
  });
}
BENCHMARK(YieldAsio)->Apply(in_turns);

void SpawnAsio(benchmark::State& state) {
  run_awaitable(state, [](benchmark::State& timed) -> awaitable<void> {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    int sum = 0;
    for (auto _ : timed) {
      const int n = co_await asio::co_spawn(executor, awaitable_number(1), use_awaitable);
      benchmark::DoNotOptimize(sum += n);
    }
  });
}
BENCHMARK(SpawnAsio)->Apply(in_turns);

}  // namespace
}  // namespace wharf::perf
