// nng, over ipc://, with the protocol that its manual gives for each case: REQ and REP for a round trip, PUSH and PULL
// for streams, PAIR for many requests at once. Messages are made and handed over whole, without a copy. Streams have no
// queue in the socket, as it comes: with one (NNG_OPT_SENDBUF), PUSH of nng 1.5.2 stands still for seconds.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>
#include <vector>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "wharf/perf/peers/peers.h"

namespace wharf::perf {
namespace {

void must(int error, const char* operation) {
  if (error == 0) return;
  std::fprintf(stderr, "%s: %s\n", operation, nng_strerror(error));
  std::_Exit(1);
}

class Message {
 public:
  explicit Message(nng_msg* message) : message_(message) {}
  explicit Message(std::size_t bytes) { must(nng_msg_alloc(&message_, bytes), "nng_msg_alloc"); }
  Message(const Load& load, Side& side, std::uint64_t number) : Message(load.payload_bytes) {
    side.write(data(), size(), number);
  }
  ~Message() {
    if (message_ != nullptr) nng_msg_free(message_);
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  void* data() const { return nng_msg_body(message_); }
  std::size_t size() const { return nng_msg_len(message_); }
  nng_msg* release() { return std::exchange(message_, nullptr); }

 private:
  nng_msg* message_ = nullptr;
};

// To be made after the fork: the library starts its threads. It lives until all sides have finished, for nng_close()
// drops what is under way.
class Socket {
 public:
  explicit Socket(int (*open)(nng_socket*)) {
    must(open(&socket_), "open");
    must(nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0), "NNG_OPT_RECVMAXSZ");
  }
  ~Socket() { nng_close(socket_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Messages that may wait in the socket; none, if not set.
  void queue(const char* option, unsigned messages) {
    must(nng_socket_set_int(socket_, option, static_cast<int>(messages)), option);
  }
  void listen(const std::string& url) { must(nng_listen(socket_, url.c_str(), nullptr, 0), "nng_listen"); }
  // Goes on trying until the other side listens.
  void dial(const std::string& url) { must(nng_dial(socket_, url.c_str(), nullptr, NNG_FLAG_NONBLOCK), "nng_dial"); }

  void send(Message message) { must(nng_sendmsg(socket_, message.release(), 0), "nng_sendmsg"); }
  Message receive() {
    nng_msg* message = nullptr;
    must(nng_recvmsg(socket_, &message, 0), "nng_recvmsg");
    return Message(message);
  }
  bool take(Side& side, std::uint64_t number) {
    const Message message = receive();
    return side.take(message.data(), message.size(), number);
  }

  // Before the run: an empty message shows that the sockets are linked.
  void send_hello() { send(Message(std::size_t{0})); }

 private:
  nng_socket socket_{};
};

class NngDuel : public Duel {
 public:
  explicit NngDuel(const Load& load) : load_(load) {}

 protected:
  std::string url(unsigned index = 0) const { return "ipc://" + directory_.file("socket" + std::to_string(index)); }
  // The answering side of a round trip, of which fan_out has several.
  void answer(Side& side, unsigned index) {
    Socket socket(nng_rep0_open);
    socket.dial(url(index));
    socket.receive();
    socket.send_hello();
    side.ready();
    for (std::uint64_t number = 1; socket.take(side, number); ++number) {
      socket.send(Message(load_, side, number));
    }
    side.finish_together();
  }

  const Load load_;

 private:
  const Directory directory_;
};

class RoundTrip final : public NngDuel {
 public:
  using NngDuel::NngDuel;

  void client(Side& side) override {
    Socket socket(nng_req0_open);
    socket.listen(url());
    socket.send_hello();
    socket.receive();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      socket.send(Message(load_, side, number));
      const Message reply = socket.receive();
      side.check(reply.data(), reply.size(), number);
    }
    socket.send(Message(load_, side, kLastNumber));
    side.finish_together();
  }

  void server(Side& side, unsigned index) override { answer(side, index); }
};

class Stream final : public NngDuel {
 public:
  using NngDuel::NngDuel;

  void client(Side& side) override {
    Socket socket(nng_push0_open);
    socket.listen(url());
    socket.send_hello();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) socket.send(Message(load_, side, number));
    socket.send(Message(load_, side, kLastNumber));
    side.finish_together();
  }

  void server(Side& side, unsigned) override {
    Socket socket(nng_pull0_open);
    socket.dial(url());
    socket.receive();
    side.ready();
    std::uint64_t number = 1;
    while (socket.take(side, number)) ++number;
    side.finish_together();
  }
};

// Requests over a PAIR, whose queues hold as many as are under way: neither side waits for the other's sending. Contexts
// of REQ and REP, which keep no order, took several times as long.
class Calls final : public NngDuel {
 public:
  using NngDuel::NngDuel;

  void client(Side& side) override {
    Socket socket(nng_pair0_open);
    socket.queue(NNG_OPT_SENDBUF, load_.count);
    socket.queue(NNG_OPT_RECVBUF, load_.count);
    socket.listen(url());
    socket.send_hello();
    side.ready();
    std::uint64_t sent = 0;
    while (sent < load_.count) socket.send(Message(load_, side, ++sent));
    for (std::uint64_t received = 1; received <= sent; ++received) {
      const Message reply = socket.receive();
      side.check(reply.data(), reply.size(), received);
      if (side.more()) socket.send(Message(load_, side, ++sent));
    }
    socket.send(Message(load_, side, kLastNumber));
    side.finish_together();
  }

  void server(Side& side, unsigned) override {
    Socket socket(nng_pair0_open);
    socket.queue(NNG_OPT_SENDBUF, load_.count);
    socket.queue(NNG_OPT_RECVBUF, load_.count);
    socket.dial(url());
    socket.receive();
    side.ready();
    for (std::uint64_t number = 1; socket.take(side, number); ++number) {
      socket.send(Message(load_, side, number));
    }
    side.finish_together();
  }
};

class FanIn final : public NngDuel {
 public:
  using NngDuel::NngDuel;

  void client(Side& side) override {
    Socket socket(nng_pull0_open);
    socket.listen(url());
    for (unsigned i = 0; i < load_.count; ++i) socket.receive();
    side.ready();
    std::vector<std::uint64_t> received(load_.count);
    for (unsigned running = load_.count; running > 0;) {
      const Message message = socket.receive();
      side.more();
      const unsigned sender = sender_of(number_of(message.data()));
      const bool known = sender < load_.count;
      const std::uint64_t number = known ? number_from(sender, ++received[sender]) : kLastNumber;
      if (!side.take(message.data(), message.size(), number)) --running;
    }
    side.finish_together();
  }

  void server(Side& side, unsigned index) override {
    Socket socket(nng_push0_open);
    socket.dial(url());
    socket.send_hello();
    side.ready();
    for (std::uint64_t n = 1; !side.over(); ++n) {
      socket.send(Message(load_, side, number_from(index, n)));
    }
    socket.send(Message(load_, side, kLastNumber));
    side.finish_together();
  }
};

// A socket for each worker: with one for all, the library would choose which has the next request. The workers have
// their turns in a circle.
class FanOut final : public NngDuel {
 public:
  using NngDuel::NngDuel;

  void client(Side& side) override {
    std::deque<Socket> sockets;
    for (unsigned i = 0; i < load_.count; ++i) sockets.emplace_back(nng_req0_open).listen(url(i));
    for (Socket& socket : sockets) {
      socket.send_hello();
      socket.receive();
    }
    side.ready();
    for (Socket& socket : sockets) socket.send(Message(load_, side, 1));
    bool more = true;
    for (std::uint64_t number = 1; more; ++number) {
      more = side.more();
      for (Socket& socket : sockets) {
        const Message reply = socket.receive();
        side.check(reply.data(), reply.size(), number);
        socket.send(Message(load_, side, more ? number + 1 : kLastNumber));
      }
    }
    side.finish_together();
  }

  void server(Side& side, unsigned index) override { answer(side, index); }
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  constexpr std::size_t kLargest = 1 << 20;
  const std::vector<Mode> modes{Mode::kDefault};
  return run_contest(argc, argv,
                     {{"nng", "round_trip", modes, make<RoundTrip>, kLargest, false, 2},
                      {"nng", "stream", modes, make<Stream>, kLargest, false, 1},
                      {"nng", "calls", modes, make<Calls>, kLargest, false, 2},
                      {"nng", "fan_in", modes, make<FanIn>, kLargest, true, 1},
                      {"nng", "fan_out", modes, make<FanOut>, kLargest, true, 2}});
}
