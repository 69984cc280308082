// `socketpair`, case `fd`: bare sendmsg(2) and recvmsg(2) with SCM_RIGHTS. Each message has a descriptor of its own, as one
// that passes a connection on has: the sender closes it when it is sent, and the receiver closes what arrives.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/floors.h"

namespace wharf::perf {
namespace {

// A message and room for one descriptor.
struct Packet {
  Packet(std::byte* bytes, std::size_t count) : vector{bytes, count} {
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }

  iovec vector;
  msghdr header{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
};

class Fd final : public Duel {
 public:
  explicit Fd(const Load& load)
      : bytes_(load.payload_bytes), file_(check(::open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null")) {
    check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets_.data()), "socketpair");
  }
  ~Fd() override {
    for (const int fd : {sockets_[0], sockets_[1], file_}) ::close(fd);
  }

  void client(Side& side) override {
    std::vector<std::byte> payload(bytes_);
    Packet packet(payload.data(), bytes_);
    cmsghdr* rights = CMSG_FIRSTHDR(&packet.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    side.ready();
    bool last = false;
    for (std::uint64_t number = 1; !last; ++number) {
      last = !side.more();
      side.write(payload.data(), bytes_, last ? kLastNumber : number);
      const int fd = check(::fcntl(file_, F_DUPFD_CLOEXEC, 0), "fcntl");
      std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
      check(static_cast<int>(::sendmsg(sockets_[0], &packet.header, MSG_NOSIGNAL)), "sendmsg");
      check(::close(fd), "close");
    }
    side.finish();
  }

  void server(Side& side, unsigned) override {
    std::vector<std::byte> payload(bytes_);
    side.ready();
    std::uint64_t number = 0;
    do {
      ++number;
      receive(payload);
    } while (side.take(payload.data(), bytes_, number));
    side.finish();
  }

 private:
  void receive(std::vector<std::byte>& payload) {
    Packet packet(payload.data(), bytes_);
    const int received = check(static_cast<int>(::recvmsg(sockets_[1], &packet.header, MSG_CMSG_CLOEXEC)), "recvmsg");
    const cmsghdr* rights = CMSG_FIRSTHDR(&packet.header);
    if (static_cast<std::size_t>(received) != bytes_ || rights == nullptr || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(sizeof(int))) {
      fail("recvmsg: no message with its descriptor");
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
    check(::close(fd), "close");
  }

  const std::size_t bytes_;
  const int file_;
  std::array<int, 2> sockets_{};
};

}  // namespace

std::vector<Entry> fd_entries() { return {{"socketpair", "fd", {Mode::kDefault}, make<Fd>, 1024, false, 1}}; }

}  // namespace wharf::perf
