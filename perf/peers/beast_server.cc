// beast_server: the split of docs/examples/appserver, on Boost.Asio and Boost.Beast with C++20 coroutines. A router owns
// the TCP connections and speaks HTTP; a worker, a process of its own, makes the answers; a unix socket lies between.
//
//     beast_server PORT      serves GET / on 127.0.0.1 with one worker, until it is killed; 0 takes a free port
//
// Method: connections are Beast's own example of a coroutine server (tcp_stream with a timeout, async_read,
//         async_write); each process has one thread and one io_context. Requests carry numbers, so that those of all
//         connections are under way on the socket at once. What is written while a write runs goes with the next one, and
//         one read takes all that has arrived.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using net::ip::tcp;
using UnixSocket = net::local::stream_protocol::socket;

// What goes over the unix socket: a head, then so many bytes of text. The text of a request is its target, that of a
// reply its body.
struct FrameHead {
  std::uint64_t number;
  std::uint32_t status;  // of a reply
  std::uint32_t text_bytes;
};
static_assert(sizeof(FrameHead) == 16);

// One end of the unix socket.
class Link {
 public:
  explicit Link(UnixSocket socket) : socket_(std::move(socket)) {}

  void send(const FrameHead& head, std::string_view text) {
    waiting_.append(reinterpret_cast<const char*>(&head), sizeof(head));
    waiting_.append(text);
    if (writing_) return;
    writing_ = true;
    net::co_spawn(socket_.get_executor(), write_all(), net::detached);
  }

  // Calls `take(head, text)` for each frame, until the other end has gone.
  template <class Take>
  net::awaitable<void> receive_each(Take take) {
    beast::flat_buffer buffer;
    for (;;) {
      boost::system::error_code error;
      const std::size_t count =
          co_await socket_.async_read_some(buffer.prepare(kReadBytes), net::redirect_error(net::use_awaitable, error));
      if (error) co_return;
      buffer.commit(count);
      for (;;) {
        FrameHead head;
        if (buffer.size() < sizeof(head)) break;
        const auto* data = static_cast<const char*>(buffer.data().data());
        std::memcpy(&head, data, sizeof(head));
        if (buffer.size() - sizeof(head) < head.text_bytes) break;
        take(head, std::string_view(data + sizeof(head), head.text_bytes));
        buffer.consume(sizeof(head) + head.text_bytes);
      }
    }
  }

 private:
  static constexpr std::size_t kReadBytes = 64 * 1024;

  net::awaitable<void> write_all() {
    while (!waiting_.empty()) {
      std::swap(waiting_, going_);
      co_await net::async_write(socket_, net::buffer(going_), net::use_awaitable);
      going_.clear();
    }
    writing_ = false;
  }

  UnixSocket socket_;
  std::string waiting_;
  std::string going_;
  bool writing_ = false;
};

// ---- The worker ----

void run_worker(int fd) {
  net::io_context context(1);
  Link link(UnixSocket(context, net::local::stream_protocol(), fd));
  const auto answer = [&link](const FrameHead& request, std::string_view target) {
    const bool found = target == "/";
    const std::string_view text = found ? "hello, world\n" : "no such page\n";
    link.send({request.number, found ? 200u : 404u, static_cast<std::uint32_t>(text.size())}, text);
  };
  net::co_spawn(context, link.receive_each(answer), [&context](std::exception_ptr) { context.stop(); });
  context.run();
}

// ---- The router ----

struct Reply {
  unsigned status = 502;
  std::string text;
};

class Router {
 public:
  Router(net::io_context& context, int fd)
      : context_(context), link_(UnixSocket(context, net::local::stream_protocol(), fd)) {}

  net::awaitable<void> receive_replies() {
    return link_.receive_each([this](const FrameHead& head, std::string_view text) {
      auto node = pending_.extract(head.number);
      if (!node.empty()) node.mapped()({head.status, std::string(text)});
    });
  }

  net::awaitable<void> accept_connections(tcp::acceptor acceptor) {
    for (;;) {
      tcp::socket socket = co_await acceptor.async_accept(net::use_awaitable);
      net::co_spawn(context_, serve(beast::tcp_stream(std::move(socket))), net::detached);
    }
  }

 private:
  // Sends a request to the worker; completes with its reply.
  net::awaitable<Reply> call(std::string_view target) {
    const std::uint64_t number = ++last_number_;
    const auto start = [this, number, target](auto handler) {
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      pending_.emplace(number, [shared](Reply reply) { (*shared)(std::move(reply)); });
      link_.send({number, 0, static_cast<std::uint32_t>(target.size())}, target);
    };
    co_return co_await net::async_initiate<const net::use_awaitable_t<>, void(Reply)>(start, net::use_awaitable);
  }

  net::awaitable<void> serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    try {
      for (bool keep_alive = true; keep_alive;) {
        stream.expires_after(std::chrono::seconds(30));
        http::request<http::string_body> request;
        co_await http::async_read(stream, buffer, request, net::use_awaitable);
        Reply reply = co_await call({request.target().data(), request.target().size()});

        http::response<http::string_body> response(static_cast<http::status>(reply.status), request.version());
        response.set(http::field::server, "beast_server");
        response.set(http::field::content_type, "text/plain");
        response.keep_alive(request.keep_alive());
        response.body() = std::move(reply.text);
        response.prepare_payload();
        keep_alive = response.keep_alive();
        co_await http::async_write(stream, response, net::use_awaitable);
      }
    } catch (const boost::system::system_error&) {
      co_return;  // the client has gone, or asked nothing in time
    }
    boost::system::error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  net::io_context& context_;
  Link link_;
  std::unordered_map<std::uint64_t, std::function<void(Reply)>> pending_;
  std::uint64_t last_number_ = 0;
};

void run_router(int fd, std::uint16_t port) {
  net::io_context context(1);
  tcp::acceptor acceptor(context, {net::ip::address_v4::loopback(), port});
  std::printf("beast_server: listening on http://127.0.0.1:%u/\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  Router router(context, fd);
  net::co_spawn(context, router.receive_replies(), [&context](std::exception_ptr) { context.stop(); });
  net::co_spawn(context, router.accept_connections(std::move(acceptor)), net::detached);
  context.run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: beast_server PORT\n");
    return 2;
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    std::perror("beast_server: socketpair");
    return 1;
  }
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("beast_server: fork");
    return 1;
  }
  try {
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      run_worker(ends[1]);
    } else {
      ::close(ends[1]);
      run_router(ends[0], static_cast<std::uint16_t>(std::atoi(argv[1])));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "beast_server: %s\n", error.what());
    return 1;
  }
  return 0;
}
