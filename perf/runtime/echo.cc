// Question: What does the reactor add to a socket operation?
// Method:   One thread, one ring. 64 bytes go through a Unix socket pair to an echo and back: four operations, each made when
//           the one before it in its own coroutine has ended. Both ends are this thread's.
// Floor:    The same operations in bare liburing, each submitted when it is asked for: a callback for each end, no task, no
//           error text. And once more with the sends of a turn before its receives, as wharf submits them: a receive that
//           finds its data spares the kernel a wait.
// Reading:  Wharf within 1.10x of the floor, and faster than Asio (echo_asio.cc).
#include "wharf/perf/runtime/echo.h"

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/perf/bench.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"

namespace wharf::perf {
namespace {

using Message = std::array<std::byte, kEchoBytes>;

void require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

struct Pair {
  Pair() { require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0, "socketpair"); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const int socket : sockets) ::close(socket);
  }
  std::array<int, 2> sockets{};
};

// One end: sends and receives in turns.
struct BareEnd {
  int socket;
  bool sends;  // the operation that is under way
  Message message{};
};

enum class Order { kAsAsked, kSendsFirst };

class BareEcho {
 public:
  explicit BareEcho(Order order) : order_(order) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    require(io_uring_queue_init_params(64, &ring_, &params) == 0, "io_uring_queue_init");
    io_uring_register_ring_fd(&ring_);
    client_ = {pair_.sockets[0], true};
    server_ = {pair_.sockets[1], false};
    start(server_);
  }
  BareEcho(const BareEcho&) = delete;
  BareEcho& operator=(const BareEcho&) = delete;
  ~BareEcho() { io_uring_queue_exit(&ring_); }

  void round_trip() {
    client_.sends = true;
    start(client_);
    back_ = false;
    while (!back_) {
      receive_what_waits();
      require(io_uring_submit_and_wait(&ring_, 1) >= 0, "io_uring_enter");
      ++enters_;
      unsigned head = 0;
      unsigned count = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        require(cqe->res == static_cast<int>(kEchoBytes), "echo");
        ended(*static_cast<BareEnd*>(io_uring_cqe_get_data(cqe)));
        ++count;
      }
      io_uring_cq_advance(&ring_, count);
    }
  }

  std::uint64_t enters() const noexcept { return enters_; }

 private:
  void start(BareEnd& end) {
    if (end.sends) {
      io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
      io_uring_prep_send(sqe, end.socket, end.message.data(), kEchoBytes, MSG_NOSIGNAL);
      io_uring_sqe_set_data(sqe, &end);
    } else if (order_ == Order::kAsAsked) {
      receive(end);
    } else {
      waiting_[waiting_count_++] = &end;
    }
  }
  void receive(BareEnd& end) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    io_uring_prep_recv(sqe, end.socket, end.message.data(), kEchoBytes, 0);
    io_uring_sqe_set_data(sqe, &end);
  }
  void receive_what_waits() {
    while (waiting_count_ != 0) receive(*waiting_[--waiting_count_]);
  }
  void ended(BareEnd& end) {
    if (&end == &client_ && !end.sends) {
      back_ = true;
      return;
    }
    end.sends = !end.sends;
    start(end);
  }

  const Order order_;
  Pair pair_;
  io_uring ring_{};
  std::array<BareEnd*, 2> waiting_{};  // to receive, if sends go first
  std::size_t waiting_count_ = 0;
  BareEnd client_{};
  BareEnd server_{};
  bool back_ = false;
  std::uint64_t enters_ = 0;
};

// Shown beside the times: system calls of a round trip.
void show_enters(benchmark::State& state, std::uint64_t enters) {
  state.counters["enters"] = benchmark::Counter(static_cast<double>(enters), benchmark::Counter::kAvgIterations);
}

void bare_echo(benchmark::State& state, Order order) {
  BareEcho echo(order);
  for (auto _ : state) echo.round_trip();
  show_enters(state, echo.enters());
}
void EchoBareUring(benchmark::State& state) { bare_echo(state, Order::kAsAsked); }
BENCHMARK(EchoBareUring)->Apply(steady);
void EchoBareUringSendsFirst(benchmark::State& state) { bare_echo(state, Order::kSendsFirst); }
BENCHMARK(EchoBareUringSendsFirst)->Apply(steady);

coro::Task<void> echo_back(int socket) {
  Message message{};
  for (;;) {
    const StatusOr<std::size_t> received = co_await runtime::recv(socket, message);
    if (!received.ok() || *received == 0) co_return;
    const StatusOr<std::size_t> sent = co_await runtime::send(socket, std::span(message).first(*received));
    require(sent.ok() && *sent == *received, "send");
  }
}

coro::Task<void> ask(benchmark::State& state, int socket) {
  Message message{};
  for (auto _ : state) {
    const StatusOr<std::size_t> sent = co_await runtime::send(socket, message);
    require(sent.ok() && *sent == kEchoBytes, "send");
    const StatusOr<std::size_t> received = co_await runtime::recv(socket, message);
    require(received.ok() && *received == kEchoBytes, "recv");
  }
  ::shutdown(socket, SHUT_WR);
}

coro::Task<void> echo_wharf(benchmark::State& state, const Pair& pair) {
  coro::Scope scope;
  scope.spawn(echo_back(pair.sockets[1]));
  scope.spawn(ask(state, pair.sockets[0]));
  co_await scope.join();
}

void EchoWharf(benchmark::State& state) {
  auto reactor = runtime::Reactor::create();
  require(reactor.ok(), "Reactor::create");
  const Pair pair;
  (*reactor)->run(echo_wharf(state, pair));
  show_enters(state, (*reactor)->counters().enters);
}
BENCHMARK(EchoWharf)->Apply(steady);

}  // namespace
}  // namespace wharf::perf
