#include "wharf/runtime/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "wharf/runtime/address.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/detail/socket_address.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {
namespace {

constexpr std::uint32_t kAcceptedMax = 65'536;
// The most that a backlog holds on most machines, whatever was asked for (net.core.somaxconn, which is 4096 by default).
constexpr int kBacklogMax = 65'535;

std::string_view bind_remedy(int error) noexcept {
  switch (error) {
    case EADDRINUSE: return "another program listens there: stop it, or choose another port";
    case EACCES:
      return "ports below 1024 need a privilege: choose a higher one, or grant "
             "CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL: return "no interface of this machine has that address";
    default: return {};
  }
}

// Makes a socket as `options` say and puts it to listening. Gives 0, or minus the errno.
int open_socket(const Address& address, const TcpListenOptions& options, UniqueFd& socket) noexcept {
  const int fd = sys::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  socket.reset(fd);
  const auto set = [&](int level, int name, int value) noexcept {
    return sys::setsockopt(fd, level, name, &value, sizeof(value));
  };
  int result = set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (result == 0 && options.reuse_port) result = set(SOL_SOCKET, SO_REUSEPORT, 1);
  // Accepted sockets inherit it, which spares a call for each.
  if (result == 0 && options.no_delay) result = set(IPPROTO_TCP, TCP_NODELAY, 1);
  if (result == 0 && address.family() == AF_INET6) {
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(address.get());
    const bool every = IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);  // of IPv4 too
    result = set(IPPROTO_IPV6, IPV6_V6ONLY, every ? 0 : 1);
  }
  if (result == 0) result = sys::bind(fd, address.get(), address.bytes());
  if (result == 0) result = sys::listen(fd, options.backlog);
  return result;
}

}  // namespace

class TcpListener::AcceptOperation final : public detail::Abandonable {
 public:
  explicit AcceptOperation(TcpListener& listener) noexcept : listener_(listener) {
    opcode = Opcode::kAccept;
    multishot = true;
    fd = listener.fd();
    flags = SOCK_CLOEXEC;
  }

 private:
  void on_result(std::int32_t result, bool more) noexcept override { listener_.on_accepted(result, more); }
  void discard(std::int32_t result) noexcept override {
    if (result >= 0) sys::close(result);
  }

  TcpListener& listener_;
};

StatusOr<std::unique_ptr<TcpListener>> TcpListener::listen(const std::string& host, std::uint16_t port,
                                                           TcpListenOptions options) {
  const std::string name = "listen on " + (host.empty() ? "every address" : host) + ", port " + std::to_string(port);
  if (options.accepted_max == 0 || options.accepted_max > kAcceptedMax || options.backlog <= 0) {
    return make_status(StatusCode::kInvalidArgument, name + ": accepted_max is 1 to 65536, and backlog at least 1");
  }
  StatusOr<Address> address = Address::ip(host, port);
  if (!address.ok()) {
    return make_status(StatusCode::kInvalidArgument, name + ": " + std::string(address.status().message()));
  }
  UniqueFd socket;
  int result = open_socket(*address, options, socket);
  // No IPv6 on this machine: every address is every IPv4 address.
  if (result == -EAFNOSUPPORT && host.empty()) {
    result = open_socket(*Address::ip("0.0.0.0", port), options, socket);
  }
  if (result < 0) return errno_status(-result, name, bind_remedy(-result));
  const StatusOr<Address> bound = detail::local_address(socket.get());
  if (!bound.ok()) return bound.status();
  return std::unique_ptr<TcpListener>(new TcpListener(std::move(socket), bound->port(), options));
}

TcpListener::TcpListener(UniqueFd socket, std::uint16_t port, const TcpListenOptions& options)
    : socket_(std::move(socket)),
      port_(port),
      accepted_max_(options.accepted_max),
      // A burst, too: what the backlog holds may come at once, before a cancel takes effect.
      accepted_(options.accepted_max + static_cast<std::uint32_t>(std::min(options.backlog, kBacklogMax))),
      operation_(new AcceptOperation(*this)) {}

TcpListener::~TcpListener() { close(); }

void TcpListener::close() noexcept {
  if (!socket_) return;
  std::exchange(operation_, nullptr)->abandon();
  socket_.reset();
  accepted_.clear();
  count_ = 0;
  error_ = ECANCELED;
  while (coro::detail::Wait* wait = waits_.first()) {
    static_cast<AcceptAwaiter*>(wait)->error_ = ECANCELED;
    waits_.resume_first();
  }
}

// Gives the awaiter what is there. False: nothing is.
bool TcpListener::take(AcceptAwaiter& awaiter) noexcept {
  if (count_ != 0) {
    awaiter.connection_ = std::move(accepted_[first_]);
    first_ = (first_ + 1) % accepted_.size();
    --count_;
    return true;
  }
  if (error_ == 0) return false;
  awaiter.error_ = error_;
  if (socket_) error_ = 0;  // a closed listener says so for ever
  return true;
}

void TcpListener::arm() noexcept {
  if (!operation_->in_flight()) operation_->start(Reactor::current());
}

void TcpListener::on_accepted(std::int32_t result, bool more) noexcept {
  if (result < 0) {
    // ECANCELED: this object's own doing, because the queue was full. Whoever has emptied it since found it still armed.
    if (result == -ECANCELED) {
      if (!waits_.empty()) arm();
      return;
    }
    if (waits_.empty()) error_ = -result;
    while (coro::detail::Wait* wait = waits_.first()) {
      static_cast<AcceptAwaiter*>(wait)->error_ = -result;
      waits_.resume_first();
    }
    return;
  }
  UniqueFd connection(result);
  if (coro::detail::Wait* wait = waits_.first(); wait != nullptr) {
    static_cast<AcceptAwaiter*>(wait)->connection_ = std::move(connection);
    waits_.resume_first();
  } else if (count_ < accepted_.size()) {
    accepted_[(first_ + count_) % accepted_.size()] = std::move(connection);
    ++count_;
  }
  if (!more) {
    if (!waits_.empty()) arm();
  } else if (count_ >= accepted_max_) {
    operation_->cancel();
  }
}

void TcpListener::AcceptAwaiter::describe_wait(std::string& text, std::int64_t now_ns) const {
  text += " on port " + std::to_string(listener_.port_);
  describe_time_left(text, now_ns);
}

StatusOr<UniqueFd> TcpListener::AcceptAwaiter::await_resume() {
  if (connection_) return std::move(connection_);
  if (error_ == 0) return interruption("accept");
  if (error_ == ECANCELED) {
    return make_status(StatusCode::kCancelled, "accept: the listener was closed");
  }
  return errno_status(error_, "accept", error_ == EMFILE ? "no file descriptor is left: raise ulimit -n" : "");
}

}  // namespace wharf::runtime
