// `socketpair` and `uring_socket`: a bare stream socket, with blocking calls and with io_uring. A message is one send; what
// has come is received as far as the buffer has room, which is one message, or 64 KiB of them.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/socket_io.h"

namespace wharf::perf {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

// Cuts what it receives into messages.
template <class Io>
class Reader {
 public:
  Reader(Io& io, std::size_t payload_bytes)
      : io_(io),
        payload_bytes_(payload_bytes),
        buffer_(payload_bytes * std::max<std::size_t>(1, kBufferBytes / payload_bytes)) {}

  // Valid until the next call.
  const std::byte* next() {
    if (used_ == filled_) used_ = filled_ = 0;
    while (filled_ - used_ < payload_bytes_) filled_ += io_.receive(&buffer_[filled_], buffer_.size() - filled_);
    const std::byte* message = &buffer_[used_];
    used_ += payload_bytes_;
    return message;
  }

 private:
  Io& io_;
  const std::size_t payload_bytes_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::size_t filled_ = 0;
};

class SocketDuel : public Duel {
 public:
  explicit SocketDuel(const Load& load) : load_(load) {
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets_.data()), "socketpair");
  }
  ~SocketDuel() override {
    for (const int socket : sockets_) ::close(socket);
  }

 protected:
  const Load load_;
  std::array<int, 2> sockets_{};
};

template <class Io>
class RoundTrip final : public SocketDuel {
 public:
  using SocketDuel::SocketDuel;

  void client(Side& side) override {
    Io io(sockets_[0]);
    Reader<Io> replies(io, load_.payload_bytes);
    std::vector<std::byte> request(load_.payload_bytes);
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      side.write(request.data(), request.size(), number);
      io.post(request.data(), request.size());
      side.check(replies.next(), request.size(), number);
    }
    side.write(request.data(), request.size(), kLastNumber);
    io.post(request.data(), request.size());
    io.flush();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Io io(sockets_[1]);
    Reader<Io> requests(io, load_.payload_bytes);
    std::vector<std::byte> reply(load_.payload_bytes);
    side.ready();
    for (std::uint64_t number = 1; side.take(requests.next(), reply.size(), number); ++number) {
      side.write(reply.data(), reply.size(), number);
      io.post(reply.data(), reply.size());
    }
    side.finish();
  }
};

template <class Io>
class Stream final : public SocketDuel {
 public:
  using SocketDuel::SocketDuel;

  void client(Side& side) override {
    Io io(sockets_[0]);
    const std::size_t bytes = load_.payload_bytes;
    const std::size_t posts_max = std::clamp<std::size_t>(kBufferBytes / bytes, 1, Io::kPostsMax);
    std::vector<std::byte> messages(bytes * posts_max);
    side.ready();
    bool last = false;
    for (std::uint64_t number = 1; !last;) {
      for (std::size_t i = 0; i < posts_max && !last; ++i, ++number) {
        last = !side.more();
        side.write(&messages[i * bytes], bytes, last ? kLastNumber : number);
        io.post(&messages[i * bytes], bytes);
      }
      io.flush();
    }
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Io io(sockets_[1]);
    Reader<Io> messages(io, load_.payload_bytes);
    side.ready();
    std::uint64_t number = 1;
    while (side.take(messages.next(), load_.payload_bytes, number)) ++number;
    side.finish();
  }
};

}  // namespace

std::vector<Entry> socket_entries() {
  const std::vector<Mode> modes{Mode::kDefault};
  return {
      {"socketpair", "round_trip", modes, make<RoundTrip<BlockingIo>>, kPayloadBytesMax, false, 2},
      {"socketpair", "stream", modes, make<Stream<BlockingIo>>, kPayloadBytesMax, false, 1},
      {"uring_socket", "round_trip", modes, make<RoundTrip<UringIo>>, kPayloadBytesMax, false, 2},
      {"uring_socket", "stream", modes, make<Stream<UringIo>>, kPayloadBytesMax, false, 1},
  };
}

}  // namespace wharf::perf
