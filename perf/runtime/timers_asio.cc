// The peer of timers.cc: steady_timer of Boost.Asio with a handler. A timer that is cancelled has its handler called, which
// belongs to its price: the context's turn comes once in 256 times, so that its system call does not count.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>

#include <benchmark/benchmark.h>
#include <boost/asio.hpp>

#include "wharf/perf/bench.h"
#include "wharf/perf/runtime/timers.h"

namespace wharf::perf {
namespace {

namespace asio = boost::asio;
constexpr unsigned kTurnPeriod = 256;

struct AsioCrowd {
  AsioCrowd() {
    for (std::uint32_t i = 0; i < kLiveTimers; ++i) set(timers.emplace_back(context));
  }
  void set(asio::steady_timer& timer) {
    timer.expires_at(begin + std::chrono::nanoseconds(random.after_ns()));
    timer.async_wait([](const boost::system::error_code& error) {
      if (!error) std::abort();
    });
  }
  void turn() {
    if (++count % kTurnPeriod == 0) context.poll();
  }
  asio::io_context context{1};
  std::deque<asio::steady_timer> timers;
  const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  Random random;
  unsigned count = 0;
};
AsioCrowd& asio_crowd() {
  static auto* crowd = new AsioCrowd;
  return *crowd;
}

void TimerSetCancelAsio(benchmark::State& state) {
  AsioCrowd& crowd = asio_crowd();
  asio::steady_timer timer(crowd.context);
  for (auto _ : state) {
    crowd.set(timer);
    timer.cancel();
    crowd.turn();
  }
}
BENCHMARK(TimerSetCancelAsio)->Apply(steady);

void TimerMoveAsio(benchmark::State& state) {
  AsioCrowd& crowd = asio_crowd();
  for (auto _ : state) {
    crowd.set(crowd.timers[crowd.random.index()]);  // which cancels what it was set to
    crowd.turn();
  }
}
BENCHMARK(TimerMoveAsio)->Apply(steady);

}  // namespace
}  // namespace wharf::perf
