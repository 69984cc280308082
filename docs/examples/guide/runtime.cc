// The code of docs/guide/runtime.md: an echo server on two reactors, and a client of it.

#include "wharf/runtime/runtime.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/frame_memory.h"
#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/listen_each.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/runtime/timer.h"
#include "wharf/runtime/transfer.h"

using namespace wharf;
using namespace std::chrono_literals;

namespace {

// Which reactor served how many bytes.
struct Served {
  std::uint32_t reactor_index = 0;
  std::size_t bytes = 0;
};
using Reports = runtime::SharedChannel<Served>;

coro::Task<void> echo(runtime::UniqueFd connection, Reports* reports) {
  std::array<std::byte, 64> buffer;
  Served served{.reactor_index = runtime::Runtime::current_index()};
  for (;;) {
    StatusOr<std::size_t> count = co_await runtime::recv(connection.get(), buffer);
    if (!count.ok() || *count == 0) break;
    const auto bytes = std::span<const std::byte>(buffer).first(*count);
    Status sent = co_await runtime::send_all(connection.get(), bytes);
    if (!sent.ok()) break;
    served.bytes += *count;
  }
  co_await reports->send(served);
}

coro::Task<Status> serve(std::unique_ptr<runtime::TcpListener> listener, Reports* reports) {
  coro::Scope connections;
  for (;;) {
    StatusOr<runtime::UniqueFd> connection = co_await listener->accept();
    if (connection.ok()) {
      connections.spawn(echo, *std::move(connection), reports);
      continue;
    }
    if (connection.status().code() == StatusCode::kCancelled) break;  // the stop
    std::fprintf(stderr, "%s\n", std::string(connection.status().message()).c_str());
    const bool slept = co_await runtime::sleep_for(100ms);
    if (!slept) break;
  }
  co_await connections.join();
  co_return absl::OkStatus();
}

coro::Task<Status> talk_to(std::uint16_t port) {
  const runtime::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Status connected = co_await runtime::connect(
      socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (!connected.ok()) co_return connected;
  const std::array<std::byte, 5> ahoy{};
  Status sent = co_await runtime::send_all(socket.get(), ahoy);
  if (!sent.ok()) co_return sent;
  std::array<std::byte, 5> answer;
  StatusOr<std::size_t> count = co_await runtime::recv(socket.get(), answer);
  co_return count.status();
}

coro::Task<Status> program(runtime::Runtime& all, Reports& reports) {
  auto listeners = runtime::listen_each("127.0.0.1", 0, all.reactor_count());
  if (!listeners.ok()) co_return listeners.status();
  const std::uint16_t port = (*listeners)[0]->port();
  for (std::uint32_t i = 0; i < all.reactor_count(); ++i) {
    all.spawn_on(i, serve, std::move((*listeners)[i]), &reports);
  }

  for (int i = 0; i < 4; ++i) {
    Status talked = co_await talk_to(port);
    if (!talked.ok()) co_return talked;
    std::optional<Served> served = co_await reports.receive();
    if (!served.has_value()) co_return absl::CancelledError("stopped");
    std::printf("reactor %u served %zu bytes\n", served->reactor_index, served->bytes);
  }
  co_return absl::OkStatus();  // the servers are stopped, and joined
}

}  // namespace

int main() {
  static std::pmr::synchronized_pool_resource pool;
  coro::set_frame_memory(pool);

  StatusOr<std::unique_ptr<runtime::Runtime>> all =
      runtime::Runtime::create({.reactor_count = 2, .stop_limit = 5s});
  Reports reports(16);
  const Status ended = all.ok() ? (*all)->run(program(**all, reports)) : all.status();
  if (ended.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(ended.message()).c_str());
  return 1;
}
