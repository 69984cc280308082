#include "wharf/tests/ipc/raw_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "wharf/tests/ipc/peer_setup.h"

namespace wharf::test {
namespace {

constexpr std::size_t kFdsMax = 253;  // SCM_MAX_FD

runtime::UniqueFd copy_of(const runtime::UniqueFd& fd) {
  return runtime::UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace

RawLink::RawLink(runtime::UniqueFd socket, bool shared_memory)
    : socket_(std::move(socket)), shared_memory_(shared_memory) {}

void RawLink::send_bytes(std::string_view bytes, const Fds& fds) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kFdsMax * sizeof(int))> control{};
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i].get();
      std::memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof(fd));
    }
  }
  static_cast<void>(::sendmsg(socket_.get(), &message, MSG_NOSIGNAL));
}

void RawLink::send_packet(PacketHeader header, std::string_view payload, const Fds& fds) {
  header.sequence = sent_count_++;
  header.fragment_bytes = static_cast<std::uint32_t>(payload.size());
  header.fd_count = static_cast<std::uint8_t>(fds.size());
  send_bytes(std::string(bytes_of(header)).append(payload), fds);
}

Hello RawLink::own_hello() const {
  return {
      .magic = ipc::detail::kHelloMagic,
      .version = ipc::detail::kLinkVersion,
      .shared_memory = shared_memory_ ? 1u : 0u,
      .message_bytes_max = std::uint64_t{1} << 30,
      .packet_bytes_max = 16 * 1024,
      .inline_bytes_max = 1024,
      .stream_window = 16,
      .rings_by_packet = 0,
      .reserved = {},
  };
}

void RawLink::send_hello(const Hello& hello, const Fds& fds) {
  send_packet({.kind = PacketKind::kHello, .message_bytes = sizeof(hello)}, bytes_of(hello), fds);
}

Status RawLink::receive_hello() {
  ipc::detail::PacketSocket receiver(copy_of(socket_), 16 * 1024);
  if (!wait_readable()) return absl::UnavailableError("the peer closed in the handshake");
  if (receiver.receive() != ipc::detail::PacketSocket::Got::kPacket) return receiver.status();
  ipc::detail::Fds fds = receiver.take_fds();
  if (fds.size() == 2) {
    peer_control_ = std::move(fds[0]);
    peer_doorbell_ = std::move(fds[1]);
  }
  return absl::OkStatus();
}

Status RawLink::shake_hands() {
  Fds fds;
  if (shared_memory_) {
    shm::SegmentHeader header{};
    header.kind = shm::SegmentKind::kControl;
    header.ring_bytes = kRawRingBytes;
    header.release_slot_count = kRawReleaseSlots;
    auto own = shm::Segment::create(header, shm::control_segment_bytes(kRawRingBytes, kRawReleaseSlots));
    if (!own.ok()) return own.status();
    own_.emplace(*std::move(own));
    own_doorbell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    fds.push_back(own_->take_fd());
    fds.push_back(copy_of(own_doorbell_));
  }
  send_hello(own_hello(), fds);
  if (Status received = receive_hello(); !received.ok()) return received;
  if (shared_memory_) {
    auto peer = shm::PeerSegment::adopt(copy_of(peer_control_), shm::SegmentKind::kControl, 1 << 30);
    if (!peer.ok()) return peer.status();
    peer_.emplace(*std::move(peer));
    const auto& theirs = *reinterpret_cast<const shm::ControlLines*>(peer_->data());
    writer_.emplace(lines(), theirs, kRawRingBytes);
    reader_.emplace(lines(), theirs, peer_->header().ring_bytes, shm::kInlineBytesMax);
    releases_.emplace(lines(), kRawRingBytes, kRawReleaseSlots);
  }
  const ipc::detail::Ready ready{.shared_memory = shared_memory_ ? 1u : 0u, .reserved = 0};
  send_packet({.kind = PacketKind::kReady, .message_bytes = sizeof(ready)}, bytes_of(ready));
  char theirs[256];
  if (!wait_readable() || ::recv(socket_.get(), theirs, sizeof(theirs), 0) <= 0) {
    return absl::UnavailableError("the peer closed in the handshake");
  }
  return absl::OkStatus();
}

void RawLink::write_record(const shm::RecordHeader& header, std::string_view rest, std::size_t cells) {
  std::byte* at = writer_->reserve(cells);
  if (at == nullptr) return;
  std::memcpy(at, &header, sizeof(header));
  if (!rest.empty()) std::memcpy(at + sizeof(header), rest.data(), rest.size());
  writer_->commit();
}

void RawLink::publish() {
  writer_->publish();
  releases_->publish();
  ring();
}

void RawLink::ring() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(peer_doorbell_.get(), &one, sizeof(one)));
}

bool RawLink::receive_block(shm::BlockDescriptor& block) {
  shm::RecordView record;
  lines().sleep.store(1 | 2 | 16, std::memory_order_seq_cst);  // asleep, and wants messages
  while (true) {
    if (reader_->peek(record) != shm::RingReader::Next::kRecord) {
      pollfd items[] = {{own_doorbell_.get(), POLLIN, 0}, {socket_.get(), POLLRDHUP, 0}};
      ::poll(items, 2, 10);
      if ((items[1].revents & (POLLRDHUP | POLLHUP)) != 0) return false;
      continue;
    }
    const bool found = record.header.block_count != 0;
    if (found) std::memcpy(&block, record.descriptors, sizeof(block));
    reader_->pop();
    reader_->publish();
    if (found) return true;
  }
}

bool RawLink::wait_a_moment() {
  pollfd item{socket_.get(), POLLRDHUP, 0};
  return ::poll(&item, 1, 1) <= 0;
}

void RawLink::wait_for_end() {
  pollfd item{socket_.get(), POLLRDHUP, 0};
  while (::poll(&item, 1, -1) <= 0 || (item.revents & (POLLRDHUP | POLLHUP)) == 0) continue;
}

bool RawLink::wait_readable() {
  pollfd item{socket_.get(), POLLIN | POLLRDHUP, 0};
  while (::poll(&item, 1, -1) < 0) continue;
  return (item.revents & POLLIN) != 0;
}

}  // namespace wharf::test
