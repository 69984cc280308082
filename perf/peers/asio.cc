// Boost.Asio: C++20 coroutines over a Unix stream socket for each link, one thread and one io_context(1) on each side.
// A stream has no messages: a frame is its length, then the payload. Each frame is written as it is made, as in Asio's
// chat example; requests that are made at once go out in one async_write. Receivers take what has arrived with one
// async_read_some.
//
// Built twice: for epoll, and for io_uring.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include <boost/asio.hpp>

#include "wharf/perf/peers/asio_echo.h"
#include "wharf/perf/peers/peers.h"

namespace wharf::perf {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using Local = asio::local::stream_protocol;

#ifdef BOOST_ASIO_HAS_IO_URING
constexpr const char* kContender = "asio_uring";
#else
constexpr const char* kContender = "asio_epoll";
#endif

using Length = std::uint32_t;
constexpr std::size_t kReadBytes = 64 * 1024;

// A connected socket, the frames that are about to be sent, and what has arrived.
class Link {
 public:
  // `frame_count` frames at most are sent in one write.
  Link(Local::socket socket, std::size_t payload_bytes, unsigned frame_count)
      : socket_(std::move(socket)),
        payload_bytes_(payload_bytes),
        out_(frame_count * (sizeof(Length) + payload_bytes)),
        in_(std::max(kReadBytes, sizeof(Length) + payload_bytes)) {}

  // Adds a frame to the next write.
  void append(Side& side, std::uint64_t number) {
    const auto length = static_cast<Length>(payload_bytes_);
    std::memcpy(out_.data() + out_bytes_, &length, sizeof(length));
    side.write(out_.data() + out_bytes_ + sizeof(length), payload_bytes_, number);
    out_bytes_ += sizeof(length) + payload_bytes_;
  }

  awaitable<void> flush() {
    co_await asio::async_write(socket_, asio::buffer(out_.data(), out_bytes_), use_awaitable);
    out_bytes_ = 0;
  }

  // The next payload that has arrived whole, until read() is called; empty if there is none.
  std::span<const std::byte> next() {
    Length length = 0;
    if (in_end_ - in_begin_ < sizeof(length)) return {};
    std::memcpy(&length, in_.data() + in_begin_, sizeof(length));
    if (length != payload_bytes_) throw std::runtime_error("a frame of a wrong length");
    if (in_end_ - in_begin_ < sizeof(length) + length) return {};
    const std::span<const std::byte> payload(in_.data() + in_begin_ + sizeof(length), length);
    in_begin_ += sizeof(length) + length;
    return payload;
  }

  awaitable<void> read() {
    std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
    in_end_ -= in_begin_;
    in_begin_ = 0;
    const auto room = asio::buffer(in_.data() + in_end_, in_.size() - in_end_);
    const std::size_t bytes = co_await socket_.async_read_some(room, use_awaitable);
    in_end_ += bytes;
  }

  awaitable<std::span<const std::byte>> receive() {
    auto payload = next();
    while (payload.empty()) {
      co_await read();
      payload = next();
    }
    co_return payload;
  }

 private:
  Local::socket socket_;
  const std::size_t payload_bytes_;
  std::vector<std::byte> out_;
  std::size_t out_bytes_ = 0;
  std::vector<std::byte> in_;
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
};

// A link to each server, and a coroutine for each link.
class AsioDuel : public Duel {
 public:
  explicit AsioDuel(const Load& load) : load_(load) {}

  void client(Side& side) final {
    asio::io_context context(1);
    Local::acceptor acceptor(context, endpoint_);
    std::deque<Link> links;
    while (links.size() < server_count(load_)) add(links, acceptor.accept());
    side.ready();
    for (Link& link : links) spawn(context, run_client(side, link));
    context.run();
    side.finish();
  }

  void server(Side& side, unsigned) final {
    asio::io_context context(1);
    Local::socket socket(context);
    boost::system::error_code not_yet;
    while (socket.connect(endpoint_, not_yet)) {
      socket.close();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::deque<Link> links;
    add(links, std::move(socket));
    side.ready();
    spawn(context, run_server(side, links.front()));
    context.run();
    side.finish();
  }

 protected:
  virtual awaitable<void> run_client(Side& side, Link& link) = 0;
  virtual awaitable<void> run_server(Side& side, Link& link) = 0;

  const Load load_;

 private:
  void add(std::deque<Link>& links, Local::socket socket) const {
    links.emplace_back(std::move(socket), load_.payload_bytes, load_.what == "calls" ? load_.count : 1);
  }

  // What the coroutine throws leaves context.run(), and ends the process.
  static void spawn(asio::io_context& context, awaitable<void> coroutine) {
    asio::co_spawn(context, std::move(coroutine), [](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
    });
  }

  const Directory directory_;
  const Local::endpoint endpoint_{directory_.file("socket")};
};

// With one server a round trip, with several fan_out.
class RoundTrip final : public AsioDuel {
 public:
  using AsioDuel::AsioDuel;

 private:
  awaitable<void> run_client(Side& side, Link& link) override {
    for (std::uint64_t number = 1; side.more(); ++number) {
      link.append(side, number);
      co_await link.flush();
      const auto reply = co_await link.receive();
      side.check(reply.data(), reply.size(), number);
    }
    link.append(side, kLastNumber);
    co_await link.flush();
  }

  awaitable<void> run_server(Side& side, Link& link) override {
    for (std::uint64_t number = 1;; ++number) {
      const auto request = co_await link.receive();
      if (!side.take(request.data(), request.size(), number)) co_return;
      link.append(side, number);
      co_await link.flush();
    }
  }
};

class Stream final : public AsioDuel {
 public:
  using AsioDuel::AsioDuel;

 private:
  awaitable<void> run_client(Side& side, Link& link) override {
    for (std::uint64_t number = 1; side.more(); ++number) {
      link.append(side, number);
      co_await link.flush();
    }
    link.append(side, kLastNumber);
    co_await link.flush();
  }

  awaitable<void> run_server(Side& side, Link& link) override {
    for (std::uint64_t number = 1;; ++number) {
      const auto message = co_await link.receive();
      if (!side.take(message.data(), message.size(), number)) co_return;
    }
  }
};

// Requests that can be made at once are written at once, and so are the replies to those that arrived at once.
class Calls final : public AsioDuel {
 public:
  using AsioDuel::AsioDuel;

 private:
  awaitable<void> run_client(Side& side, Link& link) override {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    while (side.more() || received < sent) {
      if (!side.over()) {
        while (sent - received < load_.count) link.append(side, ++sent);
        co_await link.flush();
      }
      auto reply = co_await link.receive();
      for (; !reply.empty(); reply = link.next()) side.check(reply.data(), reply.size(), ++received);
    }
    link.append(side, kLastNumber);
    co_await link.flush();
  }

  awaitable<void> run_server(Side& side, Link& link) override {
    for (std::uint64_t number = 1;;) {
      auto request = co_await link.receive();
      for (; !request.empty(); request = link.next(), ++number) {
        if (!side.take(request.data(), request.size(), number)) co_return;
        link.append(side, number);
      }
      co_await link.flush();
    }
  }
};

class FanIn final : public AsioDuel {
 public:
  using AsioDuel::AsioDuel;

 private:
  awaitable<void> run_client(Side& side, Link& link) override {
    for (std::uint64_t number = 1;; ++number) {
      const auto message = co_await link.receive();
      side.more();
      if (!side.take(message.data(), message.size(), number)) co_return;
    }
  }

  awaitable<void> run_server(Side& side, Link& link) override {
    for (std::uint64_t number = 1; !side.over(); ++number) {
      link.append(side, number);
      co_await link.flush();
    }
    link.append(side, kLastNumber);
    co_await link.flush();
  }
};

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) {
  using namespace wharf::perf;
  constexpr std::size_t kLargest = 1 << 20;
  const std::vector<Mode> modes{Mode::kDefault};
  std::vector<Entry> entries{{kContender, "round_trip", modes, make<RoundTrip>, kLargest, false, 2},
                             {kContender, "stream", modes, make<Stream>, kLargest, false, 1},
                             // Larger ones in such number do not fit into the socket's buffer: both sides would write.
                             {kContender, "calls", modes, make<Calls>, 1024, false, 2},
                             {kContender, "fan_in", modes, make<FanIn>, kLargest, true, 1},
                             {kContender, "fan_out", modes, make<RoundTrip>, kLargest, true, 2}};
  const std::vector<Entry> echo = asio_echo_entries(kContender);
  entries.insert(entries.end(), echo.begin(), echo.end());
  return run_contest(argc, argv, entries);
}
