// Case `fd`: bare sendmsg(2) and recvmsg(2) with SCM_RIGHTS. Each message has a descriptor of its own, as one that passes a
// connection on has: the sender closes it when it is sent, and the receiver closes what arrives.
//
// `socketpair`: the payload goes by the socket too. `records`: it goes by wharf's ring of records, and the socket carries a
// packet of 16 bytes with the descriptor, sent before the record that speaks of it: that is what a port does.
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
#include "wharf/perf/floors/records.h"

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

// Sends packets with a duplicate of one descriptor each, and receives them.
class FdSocket {
 public:
  FdSocket() : file_(check(::open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null")) {
    check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets_.data()), "socketpair");
  }
  FdSocket(const FdSocket&) = delete;
  FdSocket& operator=(const FdSocket&) = delete;
  ~FdSocket() {
    for (const int fd : {sockets_[0], sockets_[1], file_}) ::close(fd);
  }

  void send(std::byte* bytes, std::size_t count) {
    Packet packet(bytes, count);
    cmsghdr* rights = CMSG_FIRSTHDR(&packet.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = check(::fcntl(file_, F_DUPFD_CLOEXEC, 0), "fcntl");
    std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    check(static_cast<int>(::sendmsg(sockets_[0], &packet.header, MSG_NOSIGNAL)), "sendmsg");
    check(::close(fd), "close");
  }
  void receive(std::byte* bytes, std::size_t count) {
    Packet packet(bytes, count);
    const int received = check(static_cast<int>(::recvmsg(sockets_[1], &packet.header, MSG_CMSG_CLOEXEC)), "recvmsg");
    const cmsghdr* rights = CMSG_FIRSTHDR(&packet.header);
    if (static_cast<std::size_t>(received) != count || rights == nullptr || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(sizeof(int))) {
      fail("recvmsg: no message with its descriptor");
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
    check(::close(fd), "close");
  }

 private:
  const int file_;
  std::array<int, 2> sockets_{};
};

class Fd final : public Duel {
 public:
  explicit Fd(const Load& load) : payload_(load.payload_bytes) {}

  void client(Side& side) override {
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) send(side, number);
    send(side, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    std::uint64_t number = 0;
    do {
      ++number;
      socket_.receive(payload_.data(), payload_.size());
    } while (side.take(payload_.data(), payload_.size(), number));
    side.finish();
  }

 private:
  void send(Side& side, std::uint64_t number) {
    side.write(payload_.data(), payload_.size(), number);
    socket_.send(payload_.data(), payload_.size());
  }

  FdSocket socket_;
  std::vector<std::byte> payload_;
};

class FdBesideRecords final : public RecordDuel {
 public:
  using RecordDuel::RecordDuel;

  void client(Side& side) override {
    Records records = client_records();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) send(side, records, number);
    send(side, records, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Records records = server_records();
    side.ready();
    std::uint64_t number = 0;
    const std::byte* payload = nullptr;
    do {
      ++number;
      payload = records.receive();
      socket_.receive(packet_.data(), packet_.size());
    } while (side.take(payload, load_.payload_bytes, number));
    side.finish();
  }

 private:
  void send(Side& side, Records& records, std::uint64_t number) {
    socket_.send(packet_.data(), packet_.size());
    records.send(side, load_.payload_bytes, number);
    records.publish();
  }

  FdSocket socket_;
  std::array<std::byte, 16> packet_{};
};

}  // namespace

std::vector<Entry> fd_entries() {
  return {
      {"socketpair", "fd", {Mode::kDefault}, make<Fd>, 1024, false, 1},
      {"records", "fd", {Mode::kDefault}, make<FdBesideRecords>, kRecordPayloadBytesMax, false, 1},
  };
}

}  // namespace wharf::perf
