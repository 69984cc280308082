// Question: What does a Task cost beyond a bare coroutine: to await one that is ready, to yield, to spawn and join?
// Method:   One thread. Each iteration awaits, yields, or spawns and joins once, inside a task that runs throughout.
// Floor:    The same with a coroutine type of twenty lines: frames from a free list of one size, no context, no error,
//           no depth bound, no owner. For yield, the same queue.
// Reading:  The await of a Task should be within 1.3x of its floor, and 1.5x faster than that of Asio (coro_asio.cc). BareMalloc
//           shows what the frame cache saves. Frames are elided nowhere: the callee is not inlined.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <utility>

#include "wharf/coro/executor.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/perf/bench.h"

namespace wharf::perf {
namespace {

// The floor of a queue of ready coroutines: a list, and a loop that resumes the first.
struct BareQueue {
  struct Node {
    std::coroutine_handle<> handle;
    Node* next = nullptr;
  };
  void add(Node& node) noexcept {
    node.next = nullptr;
    (last != nullptr ? last->next : first) = &node;
    last = &node;
  }
  void run() {
    while (first != nullptr) {
      Node& node = *std::exchange(first, first->next);
      if (first == nullptr) last = nullptr;
      node.handle.resume();
    }
  }
  // As in a library, which cannot know where its queue lies. run() is inlined where the queue is a local variable, whose
  // memory some processors rename like a register.
  [[gnu::noinline]] void run_apart() { run(); }
  struct Yield {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
      handle.promise().node.handle = handle;
      queue.add(handle.promise().node);
    }
    static void await_resume() noexcept {}
    BareQueue& queue;
  };

  Node* first = nullptr;
  Node* last = nullptr;
};

// The floor of a task: a coroutine that is started by its awaiter and returns to it, and nothing else.
template <bool kPooled>
class Bare {
 public:
  struct promise_type {
    Bare get_return_object() noexcept { return Bare(Handle::from_promise(*this)); }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      static bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) const noexcept {
        return done.promise().parent;
      }
      static void await_resume() noexcept {}
    };
    static Final final_suspend() noexcept { return {}; }
    void return_value(int n) noexcept { value = n; }
    static void unhandled_exception() noexcept { std::terminate(); }

    static void* operator new(std::size_t bytes) {
      if (kPooled && pool != nullptr) return std::exchange(pool, *static_cast<void**>(pool));
      return ::operator new(bytes < kFrameBytes ? kFrameBytes : bytes);
    }
    static void operator delete(void* frame) noexcept {
      if (!kPooled) return ::operator delete(frame);
      *static_cast<void**>(frame) = std::exchange(pool, frame);
    }
    static constexpr std::size_t kFrameBytes = 512;  // every frame here fits
    inline static void* pool = nullptr;

    std::coroutine_handle<> parent = std::noop_coroutine();
    BareQueue::Node node;
    int value = 0;
  };
  using Handle = std::coroutine_handle<promise_type>;

  Bare(Bare&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ~Bare() {
    if (handle_ != nullptr) handle_.destroy();
  }
  Handle handle() const noexcept { return handle_; }
  static bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) const noexcept {
    handle_.promise().parent = parent;
    return handle_;
  }
  int await_resume() const noexcept { return handle_.promise().value; }

 private:
  explicit Bare(Handle handle) noexcept : handle_(handle) {}
  Handle handle_;
};

template <bool kPooled>
[[gnu::noinline]] Bare<kPooled> bare_number(int n) {
  co_return n;
}

template <bool kPooled>
void await_bare(benchmark::State& state) {
  auto body = [](benchmark::State& timed) -> Bare<true> {
    int sum = 0;
    for (auto _ : timed) {
      const int n = co_await bare_number<kPooled>(1);
      benchmark::DoNotOptimize(sum += n);
    }
    co_return sum;
  };
  const Bare<true> task = body(state);
  task.handle().resume();
}
void AwaitBarePooled(benchmark::State& state) { await_bare<true>(state); }
void AwaitBareMalloc(benchmark::State& state) { await_bare<false>(state); }
BENCHMARK(AwaitBarePooled)->Apply(in_turns);
BENCHMARK(AwaitBareMalloc)->Apply(in_turns);

// Runs `body(state)` as a task of a Scope on an executor of its own.
template <class Body>
void run_task(benchmark::State& state, Body body) {
  coro::Executor executor;
  const coro::Executor::Entered entered(executor);
  coro::Scope scope(executor);
  scope.spawn(body(state));
  while (!executor.idle()) executor.run_ready(64);
}

[[gnu::noinline]] coro::Task<int> number(int n) { co_return n; }

void AwaitTask(benchmark::State& state) {
  run_task(state, [](benchmark::State& timed) -> coro::Task<void> {
    int sum = 0;
    for (auto _ : timed) {
      const int n = co_await number(1);
      benchmark::DoNotOptimize(sum += n);
    }
  });
}
BENCHMARK(AwaitTask)->Apply(in_turns);

template <bool kApart>
void yield_bare(benchmark::State& state) {
  BareQueue queue;
  auto body = [](benchmark::State& timed, BareQueue& ready) -> Bare<true> {
    for (auto _ : timed) {
      co_await BareQueue::Yield{ready};
    }
    co_return 0;
  };
  const Bare<true> task = body(state, queue);
  task.handle().resume();
  kApart ? queue.run_apart() : queue.run();
}
void YieldBareQueue(benchmark::State& state) { yield_bare<false>(state); }
void YieldBareQueueApart(benchmark::State& state) { yield_bare<true>(state); }
BENCHMARK(YieldBareQueue)->Apply(in_turns);
BENCHMARK(YieldBareQueueApart)->Apply(in_turns);

void YieldTask(benchmark::State& state) {
  run_task(state, [](benchmark::State& timed) -> coro::Task<void> {
    for (auto _ : timed) {
      co_await coro::yield();
    }
  });
}
BENCHMARK(YieldTask)->Apply(in_turns);

// The floor of spawn and join: a bare coroutine by way of the queue, which goes on with its parent.
void SpawnBareQueue(benchmark::State& state) {
  BareQueue queue;
  auto body = [](benchmark::State& timed, BareQueue& ready) -> Bare<true> {
    int sum = 0;
    for (auto _ : timed) {
      Bare<true> child = bare_number<true>(1);
      co_await BareQueue::Yield{ready};
      const int n = co_await child;
      benchmark::DoNotOptimize(sum += n);
    }
    co_return sum;
  };
  const Bare<true> task = body(state, queue);
  task.handle().resume();
  queue.run();
}
BENCHMARK(SpawnBareQueue)->Apply(in_turns);

void SpawnAndJoin(benchmark::State& state) {
  run_task(state, [](benchmark::State& timed) -> coro::Task<void> {
    int ended = 0;
    coro::Scope scope;
    for (auto _ : timed) {
      scope.spawn(
          [](int& count) -> coro::Task<void> {
            benchmark::DoNotOptimize(++count);
            co_return;
          },
          std::ref(ended));
      co_await scope.join();
    }
  });
}
BENCHMARK(SpawnAndJoin)->Apply(in_turns);

}  // namespace
}  // namespace wharf::perf

int main(int argc, char** argv) { return wharf::perf::run(argc, argv); }
