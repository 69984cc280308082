// Question: Of what a Task takes beyond a bare coroutine, what is owed to its duties, and what to how it is made?
// Method:   AwaitBareDuties and YieldBareDuties await and yield like AwaitBarePooled and YieldBareQueue of coro_bench.cc, but
//           with the duties of a task, each in the fewest lines, in one class and for these benchmarks alone. To be run
//           beside those and AwaitTask: --benchmark_filter='Await|Yield'.
//           The duties: an exception leaves the child at the await; a result that is not there is not read; the child inherits
//           a context (its stop token, its deadline, the queue); a second await is refused; a chain of any length keeps to
//           a bounded stack where the compiler makes no tail call; a dump finds where each frame is and what it awaits,
//           and another thread where the queue is; a turn of the queue has a bound; a thread's free frames have one, and
//           are counted.
// Reading:  AwaitBareDuties over AwaitBarePooled is what the duties cost, whoever does them; AwaitTask over
//           AwaitBareDuties is what wharf's layers add. The same for Yield, over YieldBareQueueApart.

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <source_location>
#include <utility>

#include "wharf/coro/compiler.h"
#include "wharf/perf/bench.h"

namespace wharf::perf {
namespace {

using Site = std::source_location;

struct Queue;
constinit thread_local Queue* current_queue = nullptr;
struct Inherited {
  Queue* queue = nullptr;  // a stop token and a deadline lie beside it, and cost an await nothing
};

struct Duties {
  std::coroutine_handle<> handle() noexcept { return std::coroutine_handle<Duties>::from_promise(*this); }

  Duties* next = nullptr;
  Duties* parent = nullptr;
  const Inherited* inherited = nullptr;  // null until it starts
  std::exception_ptr error;
  Site site;
  const Duties* child = nullptr;
};

struct Queue {
  void add(Duties& frame) noexcept {
    frame.next = nullptr;
    (last != nullptr ? last->next : first) = &frame;
    last = &frame;
  }
  // One turn. Not inlined, like YieldBareQueueApart's.
  [[gnu::noinline]] void run(std::size_t frame_count_max) {
    current_queue = this;
    stack_end = coro::detail::stack_address() - 48 * 1024;
    for (std::size_t count = 0; first != nullptr && count < frame_count_max; ++count) {
      Duties& frame = *std::exchange(first, first->next);
      if (first == nullptr) last = nullptr;
      frame.child = nullptr;
      running_at.store(frame.site, std::memory_order_relaxed);
      frame.handle().resume();
    }
  }
  std::coroutine_handle<> go_to(Duties& frame) noexcept {
    if (coro::detail::stack_address() < stack_end) {
      add(frame);
      return std::noop_coroutine();
    }
    running_at.store(frame.site, std::memory_order_relaxed);
    return frame.handle();
  }

  Duties* first = nullptr;
  Duties* last = nullptr;
  std::uintptr_t stack_end = 0;
  std::atomic<Site> running_at{};
};

// Freed frames of this thread, all of one size.
struct Pool {
  static constexpr std::size_t kFrameBytes = 512;
  static constexpr std::uint32_t kCountMax = 1024;
  void* first = nullptr;
  std::uint32_t count = 0;
  std::uint64_t allocated = 0;
};
constinit thread_local Pool pool;

class Dutiful {
 public:
  struct promise_type : Duties {
    Dutiful get_return_object(Site made_at = Site::current()) noexcept {
      site = made_at;
      return Dutiful(Handle::from_promise(*this));
    }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      static bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) const noexcept {
        Duties* const parent = done.promise().parent;
        if (parent == nullptr) return std::noop_coroutine();
        parent->child = nullptr;
        return done.promise().inherited->queue->go_to(*parent);
      }
      static void await_resume() noexcept {}
    };
    static Final final_suspend() noexcept { return {}; }
    void return_value(int n) noexcept {
      value = n;
      has_value = true;
    }
    void unhandled_exception() noexcept { error = std::current_exception(); }

    static void* operator new(std::size_t bytes) {
      Pool& frames = pool;
      if (frames.count == 0 || bytes > Pool::kFrameBytes) return ::operator new(std::max(bytes, Pool::kFrameBytes));
      --frames.count;
      ++frames.allocated;
      return std::exchange(frames.first, *static_cast<void**>(frames.first));
    }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      Pool& frames = pool;
      if (frames.count == Pool::kCountMax || bytes > Pool::kFrameBytes) return ::operator delete(frame);
      ++frames.count;
      *static_cast<void**>(frame) = std::exchange(frames.first, frame);
    }

    int value = 0;
    bool has_value = false;
  };
  using Handle = std::coroutine_handle<promise_type>;

  struct Yield {
    static bool await_ready() noexcept { return false; }
    static void await_suspend(Handle handle, Site site = Site::current()) noexcept {
      handle.promise().site = site;
      current_queue->add(handle.promise());
    }
    static void await_resume() noexcept {}
  };

  Dutiful(Dutiful&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ~Dutiful() {
    if (handle_ == nullptr) return;
    if (!handle_.done() && handle_.promise().inherited != nullptr) std::abort();
    handle_.destroy();
  }

  void start(const Inherited& inherited) noexcept {
    handle_.promise().inherited = &inherited;
    inherited.queue->add(handle_.promise());
  }
  static bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> parent,
                                        Site site = Site::current()) const noexcept {
    promise_type& child = handle_.promise();
    if (child.inherited != nullptr) std::abort();
    Duties& waiting = parent.promise();
    child.parent = &waiting;
    child.inherited = waiting.inherited;
    waiting.site = site;
    waiting.child = &child;
    return child.inherited->queue->go_to(child);
  }
  int await_resume() const {
    promise_type& child = handle_.promise();
    if (child.error != nullptr) std::rethrow_exception(child.error);
    if (!child.has_value) std::abort();
    return child.value;
  }

 private:
  explicit Dutiful(Handle handle) noexcept : handle_(handle) {}
  Handle handle_;
};

constexpr std::size_t kTurn = 64;  // as in coro_bench.cc

[[gnu::noinline]] Dutiful dutiful_number(int n) { co_return n; }

void AwaitBareDuties(benchmark::State& state) {
  Queue queue;
  const Inherited inherited{&queue};
  auto body = [](benchmark::State& timed) -> Dutiful {
    int sum = 0;
    for (auto _ : timed) {
      const int n = co_await dutiful_number(1);
      benchmark::DoNotOptimize(sum += n);
    }
    co_return sum;
  };
  Dutiful task = body(state);
  task.start(inherited);
  while (queue.first != nullptr) queue.run(kTurn);
}
BENCHMARK(AwaitBareDuties)->Apply(in_turns);

void YieldBareDuties(benchmark::State& state) {
  Queue queue;
  const Inherited inherited{&queue};
  auto body = [](benchmark::State& timed) -> Dutiful {
    for (auto _ : timed) {
      co_await Dutiful::Yield();
    }
    co_return 0;
  };
  Dutiful task = body(state);
  task.start(inherited);
  while (queue.first != nullptr) queue.run(kTurn);
}
BENCHMARK(YieldBareDuties)->Apply(in_turns);

}  // namespace
}  // namespace wharf::perf
