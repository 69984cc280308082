#include "wharf/runtime/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <limits>
#include <utility>

#include "wharf/runtime/detail/socket_address.h"

namespace wharf::runtime {
namespace {

using namespace std::chrono_literals;

// The kernel's.
constexpr std::chrono::seconds kKeepaliveMax(32'767);
constexpr int kProbeCountMax = 127;
constexpr std::chrono::milliseconds kUserTimeoutMax(std::numeric_limits<int>::max());

}  // namespace

coro::Task<StatusOr<TcpStream>> TcpStream::connect(Address address, TcpConnectOptions options) {
  if (!address.is_ip()) {
    co_return make_status(StatusCode::kInvalidArgument, "connect to " + address.text() + ": no IP address");
  }
  StatusOr<UniqueFd> socket = detail::open_socket(address, SOCK_STREAM);
  if (!socket.ok()) co_return socket.status();
  TcpStream stream(*std::move(socket));
  Status done =
      co_await runtime::connect(stream.fd(), address.get(), address.bytes(), {.deadline_ns = options.deadline_ns});
  if (done.ok() && options.no_delay) done = stream.set_no_delay(true);
  if (!done.ok()) {
    co_return make_status(done.code(), address.text() + ": " + std::string(done.message()));
  }
  co_return std::move(stream);
}

Status TcpStream::set_no_delay(bool on) noexcept {
  return set_option(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0, "set_no_delay");
}

Status TcpStream::set_keepalive(std::chrono::seconds idle, int probe_count) noexcept {
  if (idle < 1s || idle > kKeepaliveMax || probe_count < 1 || probe_count > kProbeCountMax) {
    return make_status(StatusCode::kInvalidArgument, "set_keepalive: 1 to 32767 seconds, and 1 to 127 probes");
  }
  const auto seconds = static_cast<int>(idle.count());
  Status set = set_option(IPPROTO_TCP, TCP_KEEPIDLE, seconds, "set_keepalive");
  if (set.ok()) set = set_option(IPPROTO_TCP, TCP_KEEPINTVL, seconds, "set_keepalive");
  if (set.ok()) set = set_option(IPPROTO_TCP, TCP_KEEPCNT, probe_count, "set_keepalive");
  if (set.ok()) set = set_option(SOL_SOCKET, SO_KEEPALIVE, 1, "set_keepalive");
  return set;
}

Status TcpStream::set_user_timeout(std::chrono::milliseconds limit) noexcept {
  if (limit < 0ms || limit > kUserTimeoutMax) {
    return make_status(StatusCode::kInvalidArgument, "set_user_timeout: 0 to 2147483647 milliseconds");
  }
  return set_option(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limit.count()), "set_user_timeout");
}

}  // namespace wharf::runtime
