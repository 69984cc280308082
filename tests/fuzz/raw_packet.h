// Packets as a hostile peer sends them, and the descriptors that it has to offer.
//
// Threads: one.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "wharf/ipc/detail/packet.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/shm/segment.h"
#include "wharf/tests/fuzz/input.h"

namespace wharf::test {

inline std::pair<runtime::UniqueFd, runtime::UniqueFd> packet_sockets() {
  int fds[2];
  WHARF_CHECK_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  return {runtime::UniqueFd(fds[0]), runtime::UniqueFd(fds[1])};
}

// One packet of exactly these bytes. False: the socket is full, or the kernel refused the descriptors.
inline bool send_raw(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(32 * sizeof(int))> control{};
  if (!fds.empty()) {
    WHARF_CHECK_LE(fds.size(), 32U);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(item), fds.data(), fds.size() * sizeof(int));
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

// A header, then the payload.
inline bool send_packet(int socket, const ipc::detail::PacketHeader& header, std::span<const std::byte> payload,
                        std::span<const int> fds) {
  std::vector<std::byte> bytes(sizeof(header) + payload.size());
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (!payload.empty()) std::memcpy(bytes.data() + sizeof(header), payload.data(), payload.size());
  return send_raw(socket, bytes, fds);
}

// One descriptor of each kind, made once: some honest, most not.
class Wares {
 public:
  Wares() {
    shm::SegmentHeader header{};
    header.kind = shm::SegmentKind::kControl;
    header.ring_bytes = shm::kRingBytesMin;
    header.release_slot_count = kSlots;
    add(segment(header, shm::control_segment_bytes(shm::kRingBytesMin, kSlots)));
    add(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    header.release_slot_count = 2 * kSlots;
    add(segment(header, shm::control_segment_bytes(shm::kRingBytesMin, 2 * kSlots)));
    header.ring_bytes = 3 * 1024;
    add(segment(header, shm::control_segment_bytes(shm::kRingBytesMin, kSlots)));
    header = {};
    header.kind = shm::SegmentKind::kArena;
    add(segment(header, 8192));
    int pipes[2];
    WHARF_CHECK_EQ(::pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    add(pipes[0]);
    add(pipes[1]);
    add(::memfd_create("unsealed", MFD_CLOEXEC));
    add(::open("/dev/null", O_RDWR | O_CLOEXEC));
    add(::open("/", O_RDONLY | O_CLOEXEC));
    add(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  static constexpr std::size_t kSlots = 256;

  // The first is an honest control segment, the second an honest doorbell.
  int pick(Input& input) const { return fds_[input.below(fds_.size())].get(); }
  int control() const { return fds_[0].get(); }
  int doorbell() const { return fds_[1].get(); }
  std::vector<int> pick_some(Input& input, std::size_t most) const {
    std::vector<int> some(input.below(most + 1));
    for (int& fd : some) fd = pick(input);
    return some;
  }

 private:
  static int segment(const shm::SegmentHeader& header, std::size_t bytes) {
    auto made = shm::Segment::create(header, bytes);
    WHARF_CHECK(made.ok(), "no memory for a segment");
    return made->take_fd().release();
  }
  void add(int fd) {
    WHARF_CHECK_LE(0, fd);
    fds_.emplace_back(fd);
  }
  std::vector<runtime::UniqueFd> fds_;
};

}  // namespace wharf::test
