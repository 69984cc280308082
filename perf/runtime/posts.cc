// Question: What does it cost to hand something to another thread's reactor, and to have it handed back?
// Method:   Two threads, each with a reactor that has nothing else to do and sleeps in between. A post there, a post back.
//           Run it on one core (taskset -c 0): between two, the time is the kernel's way to wake the other, 4 us or 70.
// Floor:    Two threads, each asleep in a bare ring that polls an eventfd; a pointer in an atomic, then a write to the eventfd.
// Reading:  Nearly all of it is the kernel's: the wake-up of a thread. Faster than Asio's post (posts_asio.cc).
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "wharf/coro/auto_reset_event.h"
#include "wharf/coro/task.h"
#include "wharf/perf/bench.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/posted.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/runtime.h"

namespace wharf::perf {
namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

// What a thread is handed, and how it sleeps until then.
class BareMailbox {
 public:
  BareMailbox() { require(event_ >= 0); }
  BareMailbox(const BareMailbox&) = delete;
  BareMailbox& operator=(const BareMailbox&) = delete;
  ~BareMailbox() { ::close(event_); }

  // Any thread; one message at a time.
  void put(std::uint64_t message) {
    message_.store(message, std::memory_order_release);
    const std::uint64_t one = 1;
    require(::write(event_, &one, sizeof(one)) == sizeof(one));
  }

  // The thread that takes, and it alone.
  void open() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    require(io_uring_queue_init_params(8, &ring_, &params) == 0);
    arm();
  }
  void close() { io_uring_queue_exit(&ring_); }
  std::uint64_t take() {
    for (;;) {
      const std::uint64_t message = message_.exchange(0, std::memory_order_acquire);
      if (message != 0) return message;
      require(io_uring_submit_and_wait(&ring_, 1) >= 0);
      io_uring_cqe* cqe = nullptr;
      while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
        const bool more = (cqe->flags & IORING_CQE_F_MORE) != 0;
        io_uring_cqe_seen(&ring_, cqe);
        if (!more) arm();
      }
    }
  }

 private:
  void arm() { io_uring_prep_poll_multishot(io_uring_get_sqe(&ring_), event_, POLLIN); }

  const int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  io_uring ring_{};
  std::atomic<std::uint64_t> message_{0};
};

constexpr std::uint64_t kMessage = 1;
constexpr std::uint64_t kEnd = 2;

void PostBareEventfd(benchmark::State& state) {
  BareMailbox there;
  BareMailbox here;
  std::thread thread([&] {
    there.open();
    while (there.take() != kEnd) here.put(kMessage);
    there.close();
  });
  here.open();
  for (auto _ : state) {
    there.put(kMessage);
    here.take();
  }
  there.put(kEnd);
  thread.join();
  here.close();
}
BENCHMARK(PostBareEventfd)->Apply(steady)->UseRealTime();

// Goes there and back; the task here waits until it has come back.
class Ball final : public runtime::Posted {
 public:
  explicit Ball(runtime::Runtime& runtime) noexcept : runtime_(runtime) {}

  coro::Task<void> throw_and_catch() {
    runtime_.gate(1)->post(*this);
    co_await caught_.wait();
  }

 private:
  void run() noexcept override {
    if (std::exchange(there_, !there_)) {
      runtime_.gate(0)->post(*this);
    } else {
      caught_.set();
    }
  }
  void drop() noexcept override { std::abort(); }

  runtime::Runtime& runtime_;
  bool there_ = true;
  coro::AutoResetEvent caught_;
};

coro::Task<Status> throw_balls(benchmark::State& state, runtime::Runtime& runtime) {
  Ball ball(runtime);
  for (auto _ : state) co_await ball.throw_and_catch();
  co_return absl::OkStatus();
}

void PostWharf(benchmark::State& state) {
  runtime::RuntimeOptions options;
  options.reactor_count = 2;
  auto runtime = runtime::Runtime::create(options);
  require(runtime.ok());
  require((*runtime)->run(throw_balls(state, **runtime)).ok());
}
BENCHMARK(PostWharf)->Apply(steady)->UseRealTime();

}  // namespace
}  // namespace wharf::perf
