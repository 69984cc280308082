#include "wharf/runtime/unix_stream.h"

#include <fcntl.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/control_fds.h"
#include "wharf/runtime/detail/socket_address.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timer.h"

namespace wharf::runtime {
namespace {

Status about(const Address& address, const Status& status) {
  if (status.ok()) return status;
  return make_status(status.code(), address.text() + ": " + std::string(status.message()));
}

// Empty for an abstract name.
std::string path_of(const Address& address) {
  const std::string host = address.host();
  return host.starts_with('@') ? std::string() : host;
}

// Whether the path is a socket that refuses connections: its owner has died.
bool is_dead(const Address& address) {
  struct stat status;
  if (sys::lstat(address.host().c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const UniqueFd probe(sys::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe && sys::connect(probe.get(), address.get(), address.bytes()) == -ECONNREFUSED;
}

// When a listener's queue is full, nothing tells that there is room again: it is asked so often.
constexpr std::int64_t kRetryNs = 5'000'000;

// Of a socket in non-blocking mode. Not an operation of the backend: io_uring has a thread block in connect(2), where neither
// a stop nor a deadline reaches it.
coro::Task<Status> connect_in_turn(int socket, const Address& address, IoOptions options) {
  const coro::Context& context = co_await coro::context();
  for (;;) {
    const std::int64_t now_ns = Reactor::current().now_ns();
    if (context.stop.stop_requested()) {
      co_return make_status(StatusCode::kCancelled, "connect: the task was stopped");
    }
    if (now_ns >= options.deadline_ns) {
      co_return make_status(StatusCode::kDeadlineExceeded, "connect: the deadline has passed");
    }
    const int connected = sys::connect(socket, address.get(), address.bytes());
    if (connected == 0) co_return absl::OkStatus();
    if (connected != -EAGAIN && connected != -EINTR) co_return errno_status(-connected, "connect");
    const bool elapsed = co_await sleep_until(std::min(options.deadline_ns, now_ns + kRetryNs));
    static_cast<void>(elapsed);  // either way it looks again
  }
}

// One message with room for the most descriptors.
struct FdMessage {
  FdMessage(const std::byte* data, std::size_t bytes) noexcept : part{const_cast<std::byte*>(data), bytes} {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  void attach(const std::vector<int>& fds) noexcept {
    const std::size_t bytes = fds.size() * sizeof(int);
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* const first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(first), fds.data(), bytes);
  }
  // Those that were sent, kFdCountMax at most; all others are closed. `cut`: set if there were more.
  std::vector<UniqueFd> take_fds(bool& cut) {
    // Owned before anything is allocated, which may throw.
    std::array<UniqueFd, kControlBytes / sizeof(int)> taken;
    std::size_t taken_count = 0;
    detail::take_control_fds(header, SCM_RIGHTS, [&](int fd) { taken[taken_count++].reset(fd); });
    detail::take_control_fds(header, detail::kScmPidfd, [](int fd) { UniqueFd(fd).reset(); });
    if (taken_count > UnixStream::kFdCountMax) {
      taken_count = UnixStream::kFdCountMax;
      cut = true;
    }
    const auto end = taken.begin() + static_cast<std::ptrdiff_t>(taken_count);
    return {std::make_move_iterator(taken.begin()), std::make_move_iterator(end)};
  }

  // A pidfd has its room beside them: without it some would be cut off.
  static constexpr std::size_t kControlBytes =
      CMSG_SPACE(UnixStream::kFdCountMax * sizeof(int)) + CMSG_SPACE(sizeof(int));

  iovec part;
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  msghdr header{};
};

}  // namespace

coro::Task<StatusOr<UnixStream>> UnixStream::connect(Address address, IoOptions options) {
  if (address.family() != AF_UNIX) {
    co_return make_status(StatusCode::kInvalidArgument, "connect to " + address.text() + ": no Unix socket");
  }
  StatusOr<UniqueFd> socket = detail::open_socket(address, SOCK_STREAM | SOCK_NONBLOCK);
  if (!socket.ok()) co_return socket.status();
  UnixStream stream(*std::move(socket));
  Status done = co_await connect_in_turn(stream.fd(), address, options);
  if (!done.ok()) co_return about(address, done);
  const int waits = sys::fcntl(stream.fd(), F_SETFL, 0);
  if (waits < 0) co_return about(address, errno_status(-waits, "connect"));
  co_return std::move(stream);
}

StatusOr<std::pair<UnixStream, UnixStream>> UnixStream::pair() {
  int fds[2] = {-1, -1};
  const int made = sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
  if (made < 0) return errno_status(-made, "socketpair");
  return std::pair<UnixStream, UnixStream>(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

StatusOr<ucred> UnixStream::peer_credentials() const {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  const int got = sys::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes);
  if (got < 0) return errno_status(-got, "peer_credentials");
  return peer;
}

coro::Task<StatusOr<std::size_t>> UnixStream::send_with_fds(std::span<const std::byte> bytes, std::vector<int> fds,
                                                            IoOptions options) {
  if (bytes.empty() || fds.size() > kFdCountMax) {
    co_return make_status(StatusCode::kInvalidArgument, "send_with_fds: at least one byte, and 64 descriptors at most");
  }
  FdMessage message(bytes.data(), bytes.size());
  if (fds.empty()) {
    message.header.msg_controllen = 0;
  } else {
    message.attach(fds);
  }
  StatusOr<std::size_t> sent = co_await runtime::sendmsg(fd(), message.header, 0, options);
  co_return sent;
}

coro::Task<StatusOr<UnixStream::Received>> UnixStream::recv_with_fds(std::span<std::byte> buffer, IoOptions options) {
  FdMessage message(buffer.data(), buffer.size());
  StatusOr<std::size_t> count = co_await runtime::recvmsg(fd(), message.header, 0, options);
  if (!count.ok()) co_return count.status();
  Received received;
  received.bytes = *count;
  received.cut = (message.header.msg_flags & MSG_CTRUNC) != 0;
  received.fds = message.take_fds(received.cut);
  co_return std::move(received);
}

StatusOr<std::unique_ptr<UnixListener>> UnixListener::listen(const Address& address, UnixListenOptions options) {
  if (address.family() != AF_UNIX || options.backlog <= 0) {
    return make_status(StatusCode::kInvalidArgument, "listen on " + address.text() + ": no Unix socket, or no backlog");
  }
  StatusOr<UniqueFd> socket = detail::open_socket(address, SOCK_STREAM);
  if (!socket.ok()) return socket.status();
  // Everything is made before there is a file: want of memory must not leave one behind.
  std::string path = path_of(address);
  const std::string name = "listen on " + address.text();
  std::unique_ptr<UnixListener> listener(new UnixListener(*std::move(socket), address));
  int bound = sys::bind(listener->fd(), address.get(), address.bytes());
  if (bound == -EADDRINUSE && options.replace_dead && !path.empty() && is_dead(address)) {
    sys::unlink(path.c_str());
    bound = sys::bind(listener->fd(), address.get(), address.bytes());
  }
  if (bound < 0) return errno_status(-bound, name);
  listener->claim(std::move(path));
  const int listening = sys::listen(listener->fd(), options.backlog);
  if (listening < 0) return errno_status(-listening, name);
  return listener;
}

// Remembers which file the path is.
void UnixListener::claim(std::string path) noexcept {
  if (path.empty() || sys::lstat(path.c_str(), &file_) != 0 || !S_ISSOCK(file_.st_mode)) return;
  path_ = std::move(path);
}

UnixListener::~UnixListener() {
  // While the socket is open its file cannot become another's.
  struct stat now;
  if (path_.empty() || sys::lstat(path_.c_str(), &now) != 0) return;
  if (now.st_dev == file_.st_dev && now.st_ino == file_.st_ino) sys::unlink(path_.c_str());
}

coro::Task<StatusOr<UnixStream>> UnixListener::accept(IoOptions options) {
  StatusOr<UniqueFd> connection = co_await runtime::accept(fd(), options);
  if (!connection.ok()) co_return connection.status();
  co_return UnixStream(*std::move(connection));
}

}  // namespace wharf::runtime
