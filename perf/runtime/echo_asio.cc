// The peer of echo.cc: Boost.Asio, a coroutine at each end, one io_context(1). Built twice: for epoll, and for io_uring.
#include <array>
#include <cstddef>
#include <cstdlib>

#include <benchmark/benchmark.h>
#include <boost/asio.hpp>

#include "wharf/perf/bench.h"
#include "wharf/perf/runtime/echo.h"

namespace wharf::perf {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using Socket = asio::local::stream_protocol::socket;
using Message = std::array<std::byte, kEchoBytes>;

awaitable<void> echo_back(Socket& socket) {
  Message message{};
  boost::system::error_code error;
  auto or_error = asio::redirect_error(use_awaitable, error);
  for (;;) {
    const std::size_t bytes = co_await socket.async_read_some(asio::buffer(message), or_error);
    if (error) co_return;  // the end
    co_await socket.async_write_some(asio::buffer(message, bytes), use_awaitable);
  }
}

awaitable<void> ask(benchmark::State& state, Socket& socket) {
  Message message{};
  for (auto _ : state) {
    co_await socket.async_write_some(asio::buffer(message), use_awaitable);
    const std::size_t bytes = co_await socket.async_read_some(asio::buffer(message), use_awaitable);
    if (bytes != kEchoBytes) std::abort();
  }
  socket.shutdown(Socket::shutdown_send);
}

void EchoAsio(benchmark::State& state) {
  asio::io_context context(1);
  Socket client(context);
  Socket server(context);
  asio::local::connect_pair(client, server);
  asio::co_spawn(context, echo_back(server), asio::detached);
  asio::co_spawn(context, ask(state, client), asio::detached);
  context.run();
}
BENCHMARK(EchoAsio)->Apply(steady);

}  // namespace
}  // namespace wharf::perf
