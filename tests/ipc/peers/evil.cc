// Peers that break the rules of the link: see evil/lies.h.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "wharf/tests/ipc/evil/lies.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {

namespace {

bool receive_order(int socket, EvilOrder& order, runtime::UniqueFd& link) {
  iovec part{&order, sizeof(order)};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof(order)) return false;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  link.reset(fd);
  return true;
}

// That the lie has changed nothing: one more message, for which there has to be room.
void say_it_is_over(RawLink& link, Stage stage) {
  if (stage == Stage::kSocket) return link.send_packet({.kind = PacketKind::kMessage, .type = kLieIsOver});
  while (link.writer().reserve(1) == nullptr && link.wait_a_moment()) link.publish();
  shm::RecordHeader header{};
  header.kind = shm::RecordKind::kMessage;
  header.type = kLieIsOver;
  link.write_record(header);
}

void tell_lie(runtime::UniqueFd socket, const Lie& lie) {
  RawLink link(std::move(socket), lie.stage != Stage::kSocket);
  if (lie.stage != Stage::kHandshake && !link.shake_hands().ok()) return;
  lie.tell(link);
  if (lie.reason == kGoesOn) say_it_is_over(link, lie.stage);
  if (lie.stage == Stage::kLane) link.publish();
  link.wait_for_end();
}

}  // namespace

// Takes orders: each is one end of a link, and which lie to tell on it. A byte comes back when that is done, after the other
// side has closed the link.
WHARF_RAW_PEER(evil) {
  {
    const runtime::UniqueFd orders = peer.take_link();
    EvilOrder order{};
    runtime::UniqueFd link_fd;
    while (receive_order(orders.get(), order, link_fd)) {
      tell_lie(std::move(link_fd), lies_of(order.table)[order.index]);
      WANT(::send(orders.get(), "!", 1, MSG_NOSIGNAL) == 1);
    }
  }
  co_return absl::OkStatus();
}

// Begins a message of two fragments, sends other ones while it is let, and never goes on with it.
WHARF_RAW_PEER(stop_halfway) {
  RawLink link(peer.take_link(), false);
  Status shaken = link.shake_hands();
  WANT_OK(shaken);
  link.send_packet({.kind = PacketKind::kMessage, .assembly = 1, .message_bytes = 2}, "x");
  link.send_packet({.kind = PacketKind::kMessage, .message_bytes = 5}, "whole");
  peer.cue();
  link.wait_for_end();
  co_return absl::OkStatus();
}

// Tries everything that would let it write what the other side trusts.
WHARF_RAW_PEER(intruder) {
  {
    RawLink link(peer.take_link(), true);
    Status shaken = link.shake_hands();
    WANT_OK(shaken);
    const int fd = link.peer_control().get();
    struct stat info{};
    WANT(::fstat(fd, &info) == 0);
    const auto bytes = static_cast<std::size_t>(info.st_size);

    WANT(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    WANT(errno == EPERM || errno == EACCES);
    void* view = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    WANT(view != MAP_FAILED);
    WANT(::mprotect(view, bytes, PROT_READ | PROT_WRITE) != 0);
    ::munmap(view, bytes);
    WANT(::pwrite(fd, "x", 1, 0) < 0);
    WANT(::ftruncate(fd, 0) != 0);
    WANT(::ftruncate(fd, info.st_size * 2) != 0);
    WANT(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
    const int seals = ::fcntl(fd, F_GET_SEALS);
    WANT_EQ(seals & kSegmentSeals, kSegmentSeals);
    runtime::UniqueFd reopened(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDWR | O_CLOEXEC));
    if (reopened) {
      WANT(::mmap(nullptr, bytes, PROT_WRITE, MAP_SHARED, reopened.get(), 0) == MAP_FAILED);
      WANT(::pwrite(reopened.get(), "x", 1, 0) < 0);
    }
    peer.cue();
    link.wait_for_end();
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
