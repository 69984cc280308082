// ZeroMQ, over ipc://, with the pattern that its guide gives for each case: REQ and REP for a round trip, PUSH and PULL
// for streams, DEALER and ROUTER for many requests at once. Batches and back-pressure are the library's own.
#include <algorithm>
#include <optional>
#include <vector>

#include <zmq.hpp>

#include "wharf/perf/peers/peers.h"

namespace wharf::perf {
namespace {

// A worker's name for a ROUTER; its first byte must not be zero.
std::uint32_t routing_id(unsigned index) { return index << 8 | 1; }
unsigned index_of(const zmq::message_t& id) { return *id.data<std::uint32_t>() >> 8; }

// A socket in a context of its own, and with it an I/O thread; to be made after the fork. It lives until all sides have
// finished: a receiver whose queue is full loses what the kernel still holds for it when the sender closes.
class Socket {
 public:
  Socket(const Load& load, zmq::socket_type type) : load_(load), socket_(context_, type) {
    if (load.what != "stream" && load.what != "fan_in") return;
    // 1000 messages on each side, unless that is much memory.
    constexpr std::size_t kQueueBytes = 64 << 20;
    const std::size_t most = kQueueBytes / load.payload_bytes / server_count(load);
    const int messages = static_cast<int>(std::clamp<std::size_t>(most, 2, 1000));
    socket_.set(zmq::sockopt::sndhwm, messages);
    socket_.set(zmq::sockopt::rcvhwm, messages);
  }

  zmq::socket_t* operator->() { return &socket_; }

  void send(Side& side, std::uint64_t number) {
    zmq::message_t message(load_.payload_bytes);
    side.write(message.data(), message.size(), number);
    socket_.send(message, zmq::send_flags::none);
  }
  // The message, until the next call.
  const zmq::message_t& receive() {
    static_cast<void>(socket_.recv(message_));
    return message_;
  }
  bool take(Side& side, std::uint64_t number) {
    receive();
    return side.take(message_.data(), message_.size(), number);
  }

  // Before the run: an empty message shows that the sockets are linked.
  void send_hello() { socket_.send(zmq::message_t(), zmq::send_flags::none); }

  // A ROUTER's messages have the other side's name as their first part.
  void send_name(zmq::message_t& id) { socket_.send(id, zmq::send_flags::sndmore); }
  zmq::message_t receive_name() {
    zmq::message_t id;
    static_cast<void>(socket_.recv(id));
    return id;
  }

 private:
  const Load load_;
  zmq::context_t context_;
  zmq::socket_t socket_;
  zmq::message_t message_;
};

class ZeroDuel : public Duel {
 public:
  explicit ZeroDuel(const Load& load) : load_(load) {}

 protected:
  const Load load_;
  const Directory directory_;
  const std::string endpoint_ = "ipc://" + directory_.file("socket");
};

class RoundTrip final : public ZeroDuel {
 public:
  using ZeroDuel::ZeroDuel;

  void client(Side& side) override {
    Socket socket(load_, zmq::socket_type::req);
    socket->bind(endpoint_);
    socket.send_hello();
    socket.receive();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      socket.send(side, number);
      const zmq::message_t& reply = socket.receive();
      side.check(reply.data(), reply.size(), number);
    }
    socket.send(side, kLastNumber);
    side.finish_together();
  }

  void server(Side& side, unsigned) override {
    Socket socket(load_, zmq::socket_type::rep);
    socket->connect(endpoint_);
    socket.receive();
    socket.send_hello();
    side.ready();
    for (std::uint64_t number = 1; socket.take(side, number); ++number) socket.send(side, number);
    side.finish_together();
  }
};

class Stream final : public ZeroDuel {
 public:
  using ZeroDuel::ZeroDuel;

  void client(Side& side) override {
    Socket socket(load_, zmq::socket_type::push);
    socket->bind(endpoint_);
    socket.send_hello();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) socket.send(side, number);
    socket.send(side, kLastNumber);
    side.finish_together();
  }

  void server(Side& side, unsigned) override {
    Socket socket(load_, zmq::socket_type::pull);
    socket->connect(endpoint_);
    socket.receive();
    side.ready();
    std::uint64_t number = 1;
    while (socket.take(side, number)) ++number;
    side.finish_together();
  }
};

class Calls final : public ZeroDuel {
 public:
  using ZeroDuel::ZeroDuel;

  void client(Side& side) override {
    Socket socket(load_, zmq::socket_type::dealer);
    socket->bind(endpoint_);
    socket.send_hello();
    side.ready();
    std::uint64_t sent = 0;
    while (sent < load_.count) socket.send(side, ++sent);
    for (std::uint64_t received = 1; received <= sent; ++received) {
      const zmq::message_t& reply = socket.receive();
      side.check(reply.data(), reply.size(), received);
      if (side.more()) socket.send(side, ++sent);
    }
    socket.send(side, kLastNumber);
    side.finish_together();
  }

  void server(Side& side, unsigned) override {
    Socket socket(load_, zmq::socket_type::router);
    socket->connect(endpoint_);
    socket.receive_name();
    socket.receive();
    side.ready();
    for (std::uint64_t number = 1;; ++number) {
      zmq::message_t id = socket.receive_name();
      if (!socket.take(side, number)) break;
      socket.send_name(id);
      socket.send(side, number);
    }
    side.finish_together();
  }
};

class FanIn final : public ZeroDuel {
 public:
  using ZeroDuel::ZeroDuel;

  void client(Side& side) override {
    Socket socket(load_, zmq::socket_type::pull);
    socket->bind(endpoint_);
    for (unsigned i = 0; i < load_.count; ++i) socket.receive();
    side.ready();
    std::vector<std::uint64_t> received(load_.count);
    for (unsigned running = load_.count; running > 0;) {
      const zmq::message_t& message = socket.receive();
      side.more();
      const unsigned sender = sender_of(number_of(message.data()));
      const bool known = sender < load_.count;
      const std::uint64_t number = known ? number_from(sender, ++received[sender]) : kLastNumber;
      if (!side.take(message.data(), message.size(), number)) --running;
    }
    side.finish_together();
  }

  void server(Side& side, unsigned index) override {
    Socket socket(load_, zmq::socket_type::push);
    socket->connect(endpoint_);
    socket.send_hello();
    side.ready();
    for (std::uint64_t n = 1; !side.over(); ++n) socket.send(side, number_from(index, n));
    socket.send(side, kLastNumber);
    side.finish_together();
  }
};

class FanOut final : public ZeroDuel {
 public:
  using ZeroDuel::ZeroDuel;

  void client(Side& side) override {
    Socket socket(load_, zmq::socket_type::router);
    socket->bind(endpoint_);
    std::vector<zmq::message_t> ids(load_.count);
    for (zmq::message_t& id : ids) {
      id = socket.receive_name();
      socket.receive();
    }
    side.ready();
    std::vector<std::uint64_t> sent(load_.count, 1);
    for (zmq::message_t& id : ids) {
      socket.send_name(id);
      socket.send(side, 1);
    }
    for (unsigned running = load_.count; running > 0;) {
      zmq::message_t id = socket.receive_name();
      std::uint64_t& number = sent.at(index_of(id));
      const zmq::message_t& reply = socket.receive();
      side.check(reply.data(), reply.size(), number);
      const bool more = side.more();
      socket.send_name(id);
      socket.send(side, more ? ++number : kLastNumber);
      if (!more) --running;
    }
    side.finish_together();
  }

  void server(Side& side, unsigned index) override {
    Socket socket(load_, zmq::socket_type::dealer);
    const std::uint32_t id = routing_id(index);
    socket->set(zmq::sockopt::routing_id, zmq::buffer(&id, sizeof(id)));
    socket->connect(endpoint_);
    socket.send_hello();
    side.ready();
    for (std::uint64_t number = 1; socket.take(side, number); ++number) socket.send(side, number);
    side.finish_together();
  }
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  constexpr std::size_t kLargest = 1 << 20;
  const std::vector<Mode> modes{Mode::kDefault};
  return run_contest(argc, argv,
                     {{"zeromq", "round_trip", modes, make<RoundTrip>, kLargest, false, 2},
                      {"zeromq", "stream", modes, make<Stream>, kLargest, false, 1},
                      {"zeromq", "calls", modes, make<Calls>, kLargest, false, 2},
                      {"zeromq", "fan_in", modes, make<FanIn>, kLargest, true, 1},
                      {"zeromq", "fan_out", modes, make<FanOut>, kLargest, true, 2}});
}
