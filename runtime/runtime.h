// Runtime: one reactor or many, a thread each, that share nothing. Tasks stay on the reactor where they were started;
// what goes between reactors goes by spawn_on, call_on, post and SharedChannel.
//
//     coro::Task<Status> serve(Runtime& runtime) {
//       for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) runtime.spawn_on(i, work, i);
//       co_return co_await until_told_to_stop();
//     }
//     StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::create({.reactor_count = 4});
//     Status ended = (*runtime)->run(serve(**runtime));
//
// Reactor 0 is driven by the thread that called create() and run(); the others have threads of their own, with signals
// blocked: those are for the first. A server usually has a listener for each reactor: listen_each.h.
//
// The stop: when the main task has ended, when a task ends with an error or an exception, or when somebody asks for it,
// every task of every reactor is told to stop, and is joined. A reactor is there until the last task of all has ended.
//
// Threads: said at each function.
#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/cpus.h"
#include "wharf/runtime/detail/remote_call.h"
#include "wharf/runtime/detail/worker.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {

// Who had not ended when the time for the stop was up.
struct LateStop {
  struct Late {
    std::uint32_t reactor_index;
    std::uint32_t task_count;  // of those that spawn_on started, and main
    bool blocked;              // it has not even looked at its queue: a task of it keeps the thread
    std::string tasks = {};    // dump_tasks() of it; empty if it is blocked
  };
  std::chrono::nanoseconds waited{};
  std::vector<Late> reactors;

  // "2 s after the stop: reactor 1 still runs 3 tasks; reactor 2 is blocked by a task", without what the tasks are.
  std::string to_string() const;
};

struct RuntimeOptions {
  std::uint32_t reactor_count = 1;    // 0: one for each cpu that this process may run on
  std::vector<int> cpus = {};         // thread i stays on cpus[i % size]; empty: anywhere
  std::string thread_name = "wharf";  // of those it starts: "wharf/1"; 15 characters at most
  std::chrono::nanoseconds stop_limit = std::chrono::seconds(10);  // after it the stop is late
  std::function<void(const LateStop&)> on_late = {};               // on a thread of its own; empty: to stderr
  ReactorOptions reactor = {};
};

class Runtime final : private detail::Worker::Owner {
 public:
  static constexpr std::uint32_t kReactorCountMax = 1024;

  // Starts the threads; their reactors run what they are given from here on, but reactor 0, which runs in run().
  //
  // Errors: those of Reactor::create, with the reactor's number
  //         InvalidArgument    reactor_count is too large; a cpu that this process may not use
  //         ResourceExhausted  no thread to be had
  static StatusOr<std::unique_ptr<Runtime>> create(RuntimeOptions options = {});
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  // On the thread that created it. Stops what was started if run() did not.
  ~Runtime() override;

  // Runs `main` on reactor 0, until the stop is over. Once.
  //
  // Errors:  what main gave, or the first task before it that ended with an error; an exception that was first is thrown.
  //          DeadlineExceeded  all is well, but the stop took longer than stop_limit
  //          A task that ends as Cancelled because of the stop is no error.
  // Cancel:  when stop_limit has passed, on_late is told, once, and the wait goes on: tasks are joined, always. Who would
  //          rather end the process does it there.
  // Threads: the one that created it.
  Status run(coro::Task<Status> main);

  // Has `function` called with `args` on a reactor's thread, and the task that it returns started there. The task's error
  // stops the runtime. Once the runtime is stopping the call is dropped, and the arguments with it.
  //
  // Ownership: function and arguments are moved to that thread, and destroyed there. Captures do not live on: pass them.
  // Threads:   any, while the runtime lives.
  // Cost:      two allocations and a post.
  template <class F, class... Args>
    requires detail::SpawnedTask<std::invoke_result_t<F, Args...>>
  void spawn_on(std::uint32_t reactor_index, F function, Args... args) {
    static_assert(std::is_empty_v<F> || std::is_pointer_v<F> || std::is_member_pointer_v<F>,
                  "spawn_on: this lambda captures, and its captures die before the task ends; pass "
                  "them as arguments");
    detail::Worker& worker = worker_at(reactor_index);
    worker.gate()->post(*new detail::SpawnOrder<F, Args...>(worker, std::move(function), std::move(args)...));
  }
  // The same on every reactor, with copies of the arguments.
  template <class F, class... Args>
    requires detail::SpawnedTask<std::invoke_result_t<F, Args...>>
  void spawn_on_each(F function, const Args&... args) {
    for (std::uint32_t i = 0; i < reactor_count(); ++i) spawn_on(i, function, args...);
  }

  // `StatusOr<Row> row = co_await runtime.call_on(3, look_up, key)`: awaits a task of another reactor. The function gives a
  // Task of a Status or a StatusOr; its error is the caller's, and does not stop the runtime.
  //
  // Ownership: as spawn_on; the result is moved back.
  // Errors:    Cancelled  the task was stopped before the call, or the runtime stops and starts nothing more
  //            any other  what the function gave; its exception is thrown
  // Cancel:    reaches the function's task, which is joined; so does the caller's deadline.
  // Threads:   a reactor's.
  // Cost:      three frames, and two posts: one there, one back.
  template <class F, class... Args>
  auto call_on(std::uint32_t reactor_index, F function, Args... args) {
    static_assert(std::is_empty_v<F> || std::is_pointer_v<F> || std::is_member_pointer_v<F>,
                  "call_on: this lambda captures; pass what it needs as arguments");
    return detail::RemoteCall<F, Args...>(worker_at(reactor_index), std::move(function), std::move(args)...);
  }

  // Has `function()` called on a reactor's thread, between its tasks; also while the runtime stops. It must not throw.
  //
  // Ownership, Threads: as spawn_on; it may capture. Cost: an allocation and a post.
  template <std::invocable F>
  void post(std::uint32_t reactor_index, F function) {
    worker_at(reactor_index).gate()->post(*new detail::CallOrder<F>(std::move(function)));
  }
  // Of a reactor: to be kept by those who may post when the runtime has gone.
  const std::shared_ptr<PostGate>& gate(std::uint32_t reactor_index) { return worker_at(reactor_index).gate(); }

  // Begins the stop; it is over when run() returns. Any thread, while the runtime lives.
  void request_stop() noexcept override;

  std::uint32_t reactor_count() const noexcept { return static_cast<std::uint32_t>(workers_.size()); }
  // Which reactor drives this thread; aborts if none of a Runtime does.
  static std::uint32_t current_index() noexcept;

 private:
  enum class Start : std::uint8_t { kWait, kGo, kAbort };

  explicit Runtime(RuntimeOptions options);

  Status start_threads();
  void thread_main(detail::Worker& worker) noexcept;
  Status begin_thread(detail::Worker& worker, PinnedThread& pinned);
  void finish() noexcept;
  void watch_stop() noexcept;
  LateStop late_stop() const;
  void dump_late_tasks(LateStop& late) const;
  coro::Task<Status> watch_main(coro::Task<Status> main);
  detail::Worker& worker_at(std::uint32_t index) noexcept;

  void task_failed(Status ended, std::exception_ptr error) noexcept override;
  void worker_joined() noexcept override;

  const RuntimeOptions options_;
  std::vector<std::unique_ptr<detail::Worker>> workers_;
  std::vector<std::thread> threads_;  // of the workers from 1 on
  bool ran_ = false;
  Status main_ended_;

  std::mutex mutex_;  // for what follows
  std::condition_variable changed_;
  Start start_ = Start::kWait;
  std::size_t set_up_count_ = 0;  // of threads
  Status set_up_error_;
  bool stop_requested_ = false;
  std::size_t joined_count_ = 0;  // of workers
  bool finished_ = false;
  bool failed_ = false;
  Status first_status_;
  std::exception_ptr first_error_;
  std::optional<LateStop> late_;
  std::thread watcher_;  // of the stop
};

}  // namespace wharf::runtime
