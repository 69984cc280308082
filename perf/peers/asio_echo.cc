#include "wharf/perf/peers/asio_echo.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <boost/asio.hpp>

#include "wharf/perf/contest/echo.h"

namespace wharf::perf {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;

constexpr std::size_t kBufferBytes = 4096;

// As in Asio's example of an echo server with coroutines.
asio::awaitable<void> echo(tcp::socket socket, std::uint64_t& bytes) {
  std::array<std::byte, kBufferBytes> data;
  boost::system::error_code error;
  auto or_error = asio::redirect_error(use_awaitable, error);
  for (;;) {
    const std::size_t count = co_await socket.async_read_some(asio::buffer(data), or_error);
    if (error == asio::error::eof) co_return;
    if (error) throw boost::system::system_error(error);
    bytes += count;
    co_await asio::async_write(socket, asio::buffer(data, count), use_awaitable);
  }
}

class Echo final : public EchoDuel {
 public:
  using EchoDuel::EchoDuel;

 private:
  std::uint64_t serve(Side& side, std::vector<int> connections) override {
    asio::io_context context(1);
    std::uint64_t bytes = 0;
    for (const int connection : connections) {
      asio::co_spawn(context, echo(tcp::socket(context, tcp::v4(), connection), bytes), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
      });
    }
    side.ready();
    context.run();
    return bytes;
  }
};

}  // namespace

std::vector<Entry> asio_echo_entries(const char* contender) {
  return {{contender, "echo", {Mode::kDefault}, make<Echo>, kBufferBytes, false, 2}};
}

}  // namespace wharf::perf
