// Reactor: the loop of a thread. It runs coroutines, polls shared-memory lanes, carries operations to
// the kernel, and sleeps when there is nothing to do.
//
//     StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create();
//     if (!reactor.ok()) { ... }                    // one line: the cause, and the remedy
//     Status ended = (*reactor)->run(serve());      // Task<Status> serve();
//
// A turn: run ready coroutines (up to a budget) -> poll the hot pollers -> flush those that asked for
// it -> submit and reap, with one system call at most, or sleep -> timers. What the kernel and the
// timers deliver only enqueues; coroutines run from the queue alone.
//
// Threads: one reactor per thread; everything but post() is for the thread that created it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "wharf/coro/executor.h"
#include "wharf/coro/task.h"
#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/detail/choose_backend.h"
#include "wharf/runtime/detail/post_queue.h"
#include "wharf/runtime/detail/spin_policy.h"
#include "wharf/runtime/detail/timer_heap.h"
#include "wharf/runtime/detail/worker_pool.h"
#include "wharf/runtime/poller.h"
#include "wharf/runtime/post_gate.h"

namespace wharf::runtime {

namespace detail {
class Abandonable;
}  // namespace detail

// Never sleep while spinning for a hot poller is useful.
inline constexpr std::int64_t kSpinAlways = kNever;
// Spin for the price of a sleep: measured by create(), which takes less than a millisecond for it, and
// kept up to date by every sleep that a timer ends.
inline constexpr std::int64_t kSpinMeasured = -1;

struct ReactorOptions {
  std::uint32_t ring_entries = 256;          // operations that one system call submits
  std::uint32_t operations_max = 8192;       // in flight at once, 32 bytes each; further ones wait
  std::uint32_t turn_budget_frames = 256;    // coroutines resumed before the kernel has its turn
  std::int64_t spin_ns = kSpinMeasured;      // spent polling hot pollers before a sleep; 0: never
  std::uint32_t blocking_threads_max = 4;    // for run_blocking (blocking.h); 0: it is refused
  std::uint32_t blocking_queue_max = 1024;   // functions that wait for one of them; more are refused
  BackendKind backend = BackendKind::kAuto;  // WHARF_BACKEND=uring or epoll in the environment wins
};

struct ReactorCounters {
  std::uint64_t turns = 0;
  std::uint64_t resumed = 0;         // coroutines, from the ready queue
  std::uint64_t enters = 0;          // system calls of the backend
  std::uint64_t completions = 0;     // of operations
  std::uint64_t sleeps = 0;          // of the enters: those that were allowed to sleep
  std::uint64_t wakes = 0;           // of the sleeps: those that a post() ended
  std::uint64_t spins = 0;           // times that it spun before it slept, or instead
  std::uint64_t spin_hits = 0;       // of the spins: those in which a poller had work
  std::uint64_t pollers_aged = 0;    // that became cold while the reactor was busy with others
  std::uint64_t posted = 0;          // things that post() brought
  std::int64_t longest_turn_ns = 0;  // where turns are cheap, of up to 32 together
  std::int64_t spin_ns = 0;          // now: how long a spin lasts at most
};

class Reactor final : public coro::Executor {
 public:
  // On io_uring, or on epoll where that is refused.
  //
  // Errors: Unavailable        io_uring is refused, by seccomp, a sysctl, or the kernel's age, and epoll not allowed
  //         ResourceExhausted  no memory, or no file descriptor
  //         InvalidArgument    an option of 0, or too large for the kernel; a WHARF_BACKEND that is neither
  static StatusOr<std::unique_ptr<Reactor>> create(ReactorOptions options = {});
  // On a backend of the caller's: a simulated kernel, for one.
  static std::unique_ptr<Reactor> create_on(std::unique_ptr<Backend> backend, ReactorOptions options = {});
  // Aborts if an operation of a living object is in flight.
  ~Reactor();

  // The reactor whose run() drives this thread; aborts if none does.
  static Reactor& current() noexcept;

  // Drives until `main` has ended and abandoned operations have too. Gives what main gave, or throws
  // what it threw. It may be called again afterwards, but not from inside.
  template <class T>
  T run(coro::Task<T> main) {
    Running running(*this);
    coro::Task<T> task(std::move(main));  // its frame goes before the reactor drains
    task.start(main_, context_);
    drive();
    return task.take();
  }

  // Cancels main, of this run and of every later one.
  void request_stop() noexcept { stop_.request_stop(); }
  coro::StopToken stop_token() noexcept { return stop_.token(); }

  // Has `work` run on the reactor's thread, in the order of posting. Wakes the reactor if it sleeps.
  //
  // Ownership: see Posted. A function is moved in, and destroyed on the reactor's thread; it must not
  //            throw. The reactor must outlive the call.
  // Threads:   any.
  // Cost:      lock-free; a system call for the first one in a sleep. The second form allocates.
  void post(Posted& work) noexcept;
  void post(std::function<void()> function);
  // For those who may still post when the reactor has gone: see post_gate.h.
  const std::shared_ptr<PostGate>& gate() const noexcept { return gate_; }

  // Hot: polled every turn. Cold: not looked at. A new poller is cold. See poller.h.
  // Cost: O(1), no allocation; none if nothing changes.
  void make_hot(Poller& poller) noexcept;
  void make_cold(Poller& poller) noexcept;
  // Has poller.flush() called at the end of this turn, once.
  void flush_later(Poller& poller) noexcept {
    if (!DirtyList::linked(poller)) dirty_.push_back(poller);
  }
  // For a coroutine that is about to wait for `poller`: looks a little longer, if the reactor has nothing else to do and
  // would spin for this poller at once. True: poller.glance() sees something, so the coroutine need not give way. It calls
  // poller.flush() first.
  //
  // Cost: half a microsecond at most, and a few of them in one turn, lest others wait for its end.
  bool linger(Poller& poller) noexcept;
  // Forgets a poller, which may then die.
  void remove(Poller& poller) noexcept;

  // The threads of run_blocking.
  detail::WorkerPool& blocking_pool() noexcept { return blocking_pool_; }

  Backend& backend() noexcept { return *backend_; }
  // "io_uring" or "epoll"; and why it is not io_uring, in one line, empty if it is.
  const char* backend_name() const noexcept { return backend_->name(); }
  const std::string& why_not_uring() const noexcept { return why_not_uring_; }
  std::int64_t now_ns() const noexcept { return backend_->now_ns(); }
  // Odd while a turn keeps the thread busy, even while it rests or does not run; another one in each turn.
  //
  // Threads: any.
  std::uint64_t pulse() const noexcept { return pulse_.load(std::memory_order_relaxed); }
  ReactorCounters counters() const noexcept;

 private:
  friend class Timer;
  friend class detail::Abandonable;
  using HotList = detail::List<Poller, detail::HotTag>;
  using DirtyList = detail::List<Poller, detail::DirtyTag>;

  // The task that run() drives has ended.
  struct Main final : coro::Joiner {
    coro::Frame* child_done(coro::Frame&) noexcept override {
      done = true;
      return nullptr;
    }
    bool done = false;
  };
  // The reactor drives this thread for as long as it lives; at its end, nothing is left in flight.
  class Running {
   public:
    explicit Running(Reactor& reactor) noexcept;
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Reactor& reactor_;
    Entered entered_;
    Reactor* outer_;
  };

  Reactor(std::unique_ptr<Backend> backend, const ReactorOptions& options, const detail::SleepPrice& sleep_price);

  void drive() noexcept;
  void drain() noexcept;
  void turn() noexcept;
  void rest() noexcept;
  bool spin(std::int64_t& idle_since_ns) noexcept;
  bool prepare_sleep() noexcept;
  std::uint32_t glance() noexcept;
  bool may_spin() noexcept;
  bool poll_hot(std::uint32_t turn_count) noexcept;
  void age(Poller& poller) noexcept;
  void flush_dirty() noexcept;
  bool nothing_to_do() const noexcept { return idle() && posts_.empty() && dirty_.empty(); }
  void run_posted() noexcept;
  void look_at_clock() noexcept;
  void run_timers() noexcept;
  void check_thread() const noexcept;

  const std::thread::id thread_ = std::this_thread::get_id();
  const ReactorOptions options_;
  std::unique_ptr<Backend> backend_;
  std::string why_not_uring_;
  detail::TimerHeap timers_;
  detail::PostQueue posts_;
  const std::shared_ptr<PostGate> gate_ = std::make_shared<PostGate>(*this);
  HotList hot_;
  DirtyList dirty_;
  Poller* poll_next_ = nullptr;  // while poll_hot() goes through hot_
  std::uint64_t round_ = 0;      // of poll_hot()
  detail::SpinPolicy spin_policy_;
  bool made_hot_ = false;  // since it was last reset

  coro::StopSource stop_;
  Main main_;
  coro::Context context_;
  bool running_ = false;
  std::size_t abandoned_count_ = 0;  // operations that it frees when they end

  ReactorCounters counters_;
  std::atomic<std::uint64_t> pulse_{0};
  std::uint32_t since_look_count_ = 0;  // turns and frames since then

  detail::WorkerPool blocking_pool_{options_.blocking_threads_max,
                                    options_.blocking_queue_max};  // last: its threads post here
};

}  // namespace wharf::runtime
