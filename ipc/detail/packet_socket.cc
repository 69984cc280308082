#include "wharf/ipc/detail/packet_socket.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/control_fds.h"
#include "wharf/shm/format.h"

namespace wharf::ipc::detail {
namespace sys = runtime::sys;
namespace {

// One more than a packet of ours can have, so that one too many is seen and not cut off.
constexpr std::size_t kFdRoom = shm::kFdCountMax + 1;
constexpr std::size_t kControlBytes = CMSG_SPACE(kFdRoom * sizeof(int));
constexpr std::size_t kPayloadPartsMax = 64;
// A peer rings once for each of our sleeps. More wakes than the socket can hold between two packets are no accident.
constexpr std::size_t kWakesInARowMax = 4096;
constexpr std::size_t kWakesPerTurnMax = 64;

}  // namespace

PacketSocket::PacketSocket(runtime::UniqueFd socket, std::size_t packet_bytes_max, FdRules rules,
                           std::uint64_t first_sequence)
    : socket_(std::move(socket)),
      rules_(rules),
      buffer_bytes_(sizeof(PacketHeader) + packet_bytes_max),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes_)),
      fds_(rules.close_elsewhere),
      sent_count_(first_sequence),
      received_count_(first_sequence) {}

PacketSocket::~PacketSocket() {
  // With the socket go the descriptors that wait in it.
  if (rules_.close_elsewhere) runtime::close_elsewhere(socket_.release());
}

PacketSocket::Sent PacketSocket::send(PacketHeader header, std::span<const iovec> payload, std::span<const int> fds) {
  std::array<iovec, 1 + kPayloadPartsMax> parts;
  parts[0] = {&header, sizeof(header)};
  std::size_t part_count = 1;
  header.fragment_bytes = 0;
  for (const iovec& part : payload.first(std::min(payload.size(), kPayloadPartsMax))) {
    header.fragment_bytes += static_cast<std::uint32_t>(part.iov_len);
    parts[part_count++] = part;
  }
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  header.sequence = sent_count_;

  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = part_count;
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i];
      std::memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof(fd));
    }
  }
  const ssize_t result = sys::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (result >= 0) {
    WHARF_CHECK_EQ(static_cast<std::size_t>(result),
                   sizeof(header) + header.fragment_bytes);  // SEQPACKET: all or nothing
    ++sent_count_;
    return Sent::kSent;
  }
  // ENOBUFS: no memory for the packet just now. The socket may have room all the while: whoever waits tries again.
  if (result == -EAGAIN || result == -ENOBUFS) return Sent::kFull;
  if (result == -ETOOMANYREFS) {
    status_ = absl::ResourceExhaustedError(
        "send: too many descriptors are on their way (ETOOMANYREFS): receive some, or raise RLIMIT_NOFILE");
  } else {
    status_ = runtime::errno_status(static_cast<int>(-result), "send");
  }
  return Sent::kFailed;
}

void PacketSocket::own_fds_of(msghdr& message) {
  // All of them are owned before anything is looked at, or can fail.
  std::array<runtime::UniqueFd, kControlBytes / sizeof(int)> came;
  std::size_t count = 0;
  const auto take = [&](int fd) { came[count++].reset(fd); };
  runtime::detail::take_control_fds(message, SCM_RIGHTS, take);
  // One that nobody sent is one too many, and is refused.
  runtime::detail::take_control_fds(message, runtime::detail::kScmPidfd, take);
  for (std::size_t i = 0; i < count; ++i) fds_.push_back(std::move(came[i]));
}

std::ptrdiff_t PacketSocket::receive_raw(int flags, bool& truncated) {
  iovec part{buffer_.get(), buffer_bytes_};
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t result = sys::recvmsg(socket_.get(), &message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (result < 0) return result;
  if (message.msg_controllen != 0) own_fds_of(message);
  truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  return result;
}

PacketSocket::Got PacketSocket::receive() {
  for (std::size_t wakes = 0; wakes < kWakesInARowMax; ++wakes) {
    const Got got = receive_one();
    if (got != Got::kPacket || header_.kind != PacketKind::kWake) return got;
  }
  return violation("packet.kind: wakes without end");
}

PacketSocket::Got PacketSocket::take_wakes() {
  for (std::size_t wakes = 0; wakes < kWakesPerTurnMax; ++wakes) {
    PacketHeader header;
    iovec part{&header, sizeof(header)};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    // Without room for control data no descriptor is made by the look.
    const ssize_t result = sys::recvmsg(socket_.get(), &message, MSG_PEEK | MSG_DONTWAIT);
    if (result != static_cast<ssize_t>(sizeof(header)) || header.kind != PacketKind::kWake) return Got::kEmpty;
    if (const Got got = receive_one(); got != Got::kPacket) return got;
  }
  return Got::kPacket;
}

PacketSocket::Got PacketSocket::receive_one() {
  fds_.clear();
  if (rules_.close_elsewhere && runtime::closing_room() <= kFdRoom) {
    return fail(absl::ResourceExhaustedError("receive: too many descriptors of hostile peers wait to be closed"));
  }
  bool truncated = false;
  std::ptrdiff_t result = receive_raw(0, truncated);
  // The peer has closed with packets of ours unread. What it had sent is still to come, behind this one error.
  if (result == -ECONNRESET) result = receive_raw(0, truncated);
  if (result == -EAGAIN) return Got::kEmpty;
  if (result < 0) return fail(runtime::errno_status(static_cast<int>(-result), "receive"));
  if (truncated) {
    return violation(fds_.empty() ? "packet is longer than agreed, or its descriptors were dropped: at RLIMIT_NOFILE?"
                                  : "packet has too many descriptors, or some were dropped: at RLIMIT_NOFILE?");
  }
  if (result == 0) {
    // Either the end or an empty packet: at the end the next receive says 0 again, and carries nothing.
    if (!fds_.empty() || receive_raw(0, truncated) != 0) return violation("packet is empty");
    fds_.clear();
    return Got::kEnd;
  }
  return check_packet(static_cast<std::size_t>(result));
}

PacketSocket::Got PacketSocket::check_packet(std::size_t bytes) {
  if (bytes < sizeof(PacketHeader)) return violation("packet is shorter than its header");
  std::memcpy(&header_, buffer_.get(), sizeof(header_));
  if (header_.kind < PacketKind::kHello || header_.kind > PacketKind::kWake) return violation("packet.kind");
  if (header_.kind == PacketKind::kWake && (!expects_wakes_ || header_.fragment_bytes != 0 || !fds_.empty())) {
    return violation("packet.kind: a wake that carries something, or was not agreed on");
  }
  if ((header_.flags & ~shm::kFlagsKnown) != 0) return violation("packet.flags");
  if (header_.reserved0 != 0) return violation("packet.reserved");
  if (header_.fragment_bytes != bytes - sizeof(PacketHeader)) return violation("packet.fragment_bytes");
  if (header_.fd_count != fds_.size() || fds_.size() > shm::kFdCountMax) return violation("packet.fd_count");
  if (header_.sequence != received_count_) return violation("packet.sequence");
  ++received_count_;
  payload_ = {buffer_.get() + sizeof(PacketHeader), header_.fragment_bytes};
  return fds_.empty() ? Got::kPacket : check_fds();
}

PacketSocket::Got PacketSocket::check_fds() {
  if (!rules_.refuse_unix_sockets) return Got::kPacket;
  for (const runtime::UniqueFd& fd : fds_) {
    int domain = 0;
    socklen_t bytes = sizeof(domain);
    // What is no socket says ENOTSOCK.
    if (sys::getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_UNIX) {
      return violation("packet: a descriptor is a Unix socket, which accept_unix_sockets does not allow");
    }
  }
  return Got::kPacket;
}

PacketSocket::Got PacketSocket::fail(Status status) {
  fds_.clear();
  status_ = std::move(status);
  return Got::kFailed;
}

PacketSocket::Got PacketSocket::violation(const char* what) {
  return fail(absl::InvalidArgumentError(std::string("the peer broke the link's format: ") + what));
}

void PacketSocket::close() noexcept {
  if (!socket_) return;
  sys::shutdown(socket_.get(), SHUT_RDWR);
  if (rules_.close_elsewhere) runtime::close_elsewhere(socket_.release());  // as in the destructor
  socket_.reset();
}

}  // namespace wharf::ipc::detail
