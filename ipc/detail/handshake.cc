#include "wharf/ipc/detail/handshake.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "wharf/ipc/detail/packet.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"

namespace wharf::ipc::detail {
namespace sys = runtime::sys;
namespace {

Status peer_is_wrong(const std::string& what) { return absl::FailedPreconditionError("handshake: " + what); }

Status peer_closed() {
  return absl::UnavailableError(
      "handshake: the peer closed the link before it was open: did it exit, or is it no wharf program?");
}

// The send buffer holds a full packet and the kernel's overhead for it, the receive buffer four (the kernel doubles
// what it is told, for that overhead).
void size_buffers(int fd, std::size_t packet_bytes_max) {
  const int send_bytes = static_cast<int>(4 * (packet_bytes_max + sizeof(PacketHeader)));
  const int receive_bytes = 4 * send_bytes;
  // A smaller buffer than asked for is slower and nothing worse.
  sys::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
  sys::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
}

template <class T>
Status send_control(PacketSocket& socket, PacketKind kind, T payload, std::span<const int> fds) {
  PacketHeader header{};
  header.kind = kind;
  iovec part{&payload, sizeof(payload)};
  header.message_bytes = sizeof(payload);
  switch (socket.send(header, {&part, 1}, fds)) {
    case PacketSocket::Sent::kSent: return absl::OkStatus();
    case PacketSocket::Sent::kFull: return absl::ResourceExhaustedError("handshake: the socket is full");
    case PacketSocket::Sent::kFailed: break;
  }
  return socket.status().code() == StatusCode::kUnavailable ? peer_closed() : socket.status();
}

// Waits for the next packet and copies its payload. A first packet that makes no sense comes from no wharf program.
template <class T>
coro::Task<Status> receive_control(PacketSocket& socket, PacketKind kind, std::int64_t deadline_ns, T* payload) {
  while (true) {
    const PacketSocket::Got got = socket.receive();
    if (got == PacketSocket::Got::kPacket) break;
    if (got == PacketSocket::Got::kEnd) co_return peer_closed();
    if (got == PacketSocket::Got::kFailed) {
      if (socket.status().code() == StatusCode::kUnavailable) co_return peer_closed();
      co_return peer_is_wrong(std::string(socket.status().message()));
    }
    auto ready = co_await runtime::poll(socket.fd(), POLLIN | POLLRDHUP, {.deadline_ns = deadline_ns});
    if (!ready.ok() && ready.status().code() == StatusCode::kDeadlineExceeded) {
      co_return absl::DeadlineExceededError(
          "handshake: the peer said nothing in time: is it a wharf program, and running?");
    }
    if (!ready.ok()) co_return ready.status();
  }
  if (socket.header().kind != kind || socket.payload().size() != sizeof(T)) {
    co_return peer_is_wrong("the peer's packet is of another kind or size: it is no wharf program, or another version");
  }
  std::memcpy(payload, socket.payload().data(), sizeof(T));
  co_return absl::OkStatus();
}

FdRules fd_rules(const PortOptions& options) {
  const TrustRules rules = rules_of(options.trust);
  return {.refuse_unix_sockets = rules.refuses_unix_sockets && !options.accept_unix_sockets,
          .close_elsewhere = rules.closes_elsewhere};
}

Status check_hello(const Hello& hello, std::size_t fd_count) {
  if (hello.magic != kHelloMagic) return peer_is_wrong("the peer is no wharf program");
  if (hello.version != kLinkVersion) {
    return peer_is_wrong("the peer speaks link version " + std::to_string(hello.version) + ", this program " +
                         std::to_string(kLinkVersion) + ": build both with the same wharf");
  }
  if (hello.shared_memory > 1 || fd_count != (hello.shared_memory == 1 ? 2 : 0)) {
    return peer_is_wrong("hello.shared_memory and its descriptors do not agree");
  }
  if (hello.packet_bytes_max < 1024) return peer_is_wrong("hello.packet_bytes_max");
  if (hello.message_bytes_max == 0) return peer_is_wrong("hello.message_bytes_max");
  if (hello.stream_window == 0) return peer_is_wrong("hello.stream_window");
  if (hello.rings_by_packet > 1) return peer_is_wrong("hello.rings_by_packet");
  for (std::uint64_t word : hello.reserved) {
    if (word != 0) return peer_is_wrong("hello.reserved");
  }
  return absl::OkStatus();
}

Status check_ready(const Ready& ready, const Hello& hello, std::size_t fd_count) {
  if (ready.shared_memory > hello.shared_memory) return peer_is_wrong("ready.shared_memory: it was not offered");
  if (ready.reserved != 0) return peer_is_wrong("ready.reserved");
  if (fd_count != 0) return peer_is_wrong("ready: descriptors came along");
  return absl::OkStatus();
}

// An eventfd has no file type, and takes a 0, which rings nobody and never blocks. Anything else could block the writer,
// be harmed by what is written, or refuse every ring.
Status check_doorbell(int fd) {
  struct stat info;
  const int known = sys::fstat(fd, &info);
  if (known < 0) return runtime::errno_status(-known, "open port: fstat of the doorbell");
  const std::uint64_t nothing = 0;
  if ((info.st_mode & S_IFMT) != 0 || sys::write(fd, &nothing, sizeof(nothing)) != sizeof(nothing)) {
    return peer_is_wrong("hello: the doorbell is no eventfd");
  }
  return absl::OkStatus();
}

}  // namespace

coro::Task<StatusOr<Handshaken>> shake_hands(PortEnd end, PortOptions options, shm::Lane::Owner* owner) {
  if (Status status = check_options(options); !status.ok()) co_return status;
  if (Status status = end.check(); !status.ok()) co_return status;
  size_buffers(end.fd(), options.packet_bytes_max);
  const std::int64_t deadline_ns =
      runtime::deadline_after(runtime::Reactor::current().now_ns(), options.handshake_timeout_ms * 1'000'000);
  Handshaken done{.socket = PacketSocket(end.take_socket(), options.packet_bytes_max, fd_rules(options),
                                         options.lane.first_position)};

  Fds offered;
  if (options.shared_memory) {
    StatusOr<shm::Ref<shm::Lane>> lane = shm::Lane::create(options.lane, owner);
    const int doorbell = lane.ok() ? sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (doorbell >= 0) {
      done.lane = std::move(lane).value();
      done.own_doorbell.reset(runtime::UniqueFd(doorbell));
      offered.push_back(done.lane->take_control_fd());
      const int copy = sys::fcntl(doorbell, F_DUPFD_CLOEXEC, 0);
      if (copy < 0) co_return runtime::errno_status(-copy, "open port: duplicate the doorbell");
      offered.push_back(runtime::UniqueFd(copy));
    }
  }
  const bool rings_by_packet = rules_of(options.trust).rings_by_packet;
  const Hello own_hello{
      .magic = kHelloMagic,
      .version = kLinkVersion,
      .shared_memory = done.lane ? 1u : 0u,
      .message_bytes_max = options.message_bytes_max,
      .packet_bytes_max = static_cast<std::uint32_t>(options.packet_bytes_max),
      .inline_bytes_max = static_cast<std::uint32_t>(options.lane.inline_bytes_max),
      .stream_window = options.stream_window,
      .rings_by_packet = rings_by_packet ? 1u : 0u,
      .reserved = {},
  };
  absl::InlinedVector<int, 2> offered_fds;
  for (const runtime::UniqueFd& fd : offered) offered_fds.push_back(fd.get());
  if (Status status = send_control(done.socket, PacketKind::kHello, own_hello, offered_fds); !status.ok()) {
    co_return status;
  }
  offered.clear();

  Hello hello{};
  Status received = co_await receive_control(done.socket, PacketKind::kHello, deadline_ns, &hello);
  if (!received.ok()) co_return received;
  Fds fds = done.socket.take_fds();
  if (Status status = check_hello(hello, fds.size()); !status.ok()) co_return status;
  done.message_bytes_max = std::min<std::size_t>(options.message_bytes_max, hello.message_bytes_max);
  done.packet_bytes_max = std::min<std::size_t>(options.packet_bytes_max, hello.packet_bytes_max);
  done.stream_window = hello.stream_window;
  done.inline_bytes_max = std::min<std::size_t>(hello.inline_bytes_max, shm::kInlineBytesMax);

  bool mapped = false;
  if (!fds.empty() && done.lane) {
    // Want of memory to map it is no reason to fail: the socket is there. A segment that breaks the format is.
    Status attached = done.lane->attach(fds[0]);
    if (attached.code() == StatusCode::kInvalidArgument) co_return attached;
    mapped = attached.ok();
    if (!rings_by_packet) {
      if (Status status = check_doorbell(fds[1].get()); !status.ok()) co_return status;
      done.peer_doorbell.reset(std::move(fds[1]));
    }
  }
  const Ready own_ready{.shared_memory = mapped ? 1u : 0u, .reserved = 0};
  if (Status status = send_control(done.socket, PacketKind::kReady, own_ready, {}); !status.ok()) {
    co_return status;
  }
  Ready ready{};
  received = co_await receive_control(done.socket, PacketKind::kReady, deadline_ns, &ready);
  if (!received.ok()) co_return received;
  fds = done.socket.take_fds();
  if (Status status = check_ready(ready, hello, fds.size()); !status.ok()) co_return status;
  if (own_ready.shared_memory == 0 || ready.shared_memory != 1) {
    if (done.lane) done.lane->close();
    done.lane.reset();
    done.own_doorbell.reset();
    done.peer_doorbell.reset();
  }
  if (done.lane && hello.rings_by_packet == 1) done.socket.expect_wakes();
  co_return done;
}

}  // namespace wharf::ipc::detail
