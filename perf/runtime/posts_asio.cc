// The peer of posts.cc: asio::post to the io_context of another thread, and back.
#include <thread>
#include <utility>

#include <benchmark/benchmark.h>
#include <boost/asio.hpp>

#include "wharf/perf/bench.h"

namespace wharf::perf {
namespace {

namespace asio = boost::asio;

// As Asio's documentation advises for one thread for each context.
struct Here {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
};

void PostAsio(benchmark::State& state) {
  Here here;
  Here there;
  std::thread thread([&] { there.context.run(); });
  for (auto _ : state) {
    bool caught = false;
    asio::post(there.context, [&] { asio::post(here.context, [&] { caught = true; }); });
    while (!caught) here.context.run_one();
  }
  there.work.reset();
  thread.join();
}
BENCHMARK(PostAsio)->Apply(steady)->UseRealTime();

}  // namespace
}  // namespace wharf::perf
