// The seam between coroutines and whatever runs them: Frame, the header of every coroutine of ours; Context, what it
// inherits from the task that awaits it; Executor, the queue of frames that are ready to go on.
//
// The reactor is an Executor, and so is the loop of a test. Who writes an awaiter keeps the Frame of the coroutine that
// it suspended, and calls `frame.schedule()` once when the wait is over: the frame goes to the end of the queue, and is
// never resumed from inside the call.
//
// Threads: an Executor and all its frames belong to the thread that drives it.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <source_location>
#include <utility>

#include "wharf/coro/compiler.h"
#include "wharf/coro/frame_cache.h"
#include "wharf/coro/stop_token.h"
#include "wharf/coro/trace.h"

namespace wharf::coro {

class Executor;
struct Frame;
namespace detail {
struct LocalValue;
inline constinit thread_local Executor* current_executor = nullptr;
}  // namespace detail

// A deadline that never comes.
inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

// What a task hands down to the tasks that it awaits. It lives in a Scope, an awaiter or the executor's caller, and
// outlives the frames that point to it.
struct Context {
  Executor* executor = nullptr;
  StopToken stop;
  // When whoever awaits wants to have the result, on the executor's clock; kNoDeadline: at any time. Whoever sets it
  // sees to it that `stop` is requested then: awaiters need not look at it.
  std::int64_t deadline_ns = kNoDeadline;
  // What task_local.h finds, innermost first.
  const detail::LocalValue* locals = nullptr;

  // What those below inherit who have a stop source of their own.
  Context with_stop(StopToken token) const noexcept { return {executor, token, deadline_ns, locals}; }
};

// Learns that a task which nobody awaits directly has ended: a Scope, or a combinator.
class Joiner {
 public:
  // The child is suspended for good and its result is in place. Returns the frame to go on with, or null.
  virtual Frame* child_done(Frame& child) noexcept = 0;

  // For dumps: the frame that waits for the children, or null.
  virtual const Frame* awaited_by() const noexcept { return nullptr; }

 protected:
  ~Joiner() = default;
};

// The part of a coroutine that needs no types. Every promise derives from it, first and alone. What is not set until later
// is not cleared before: every await pays for it.
struct Frame : detail::TaskLink {
  Frame* next;                       // while it is in the ready queue, or in the list of a Scope's dead
  Frame* parent;                     // once it has started: awaits this frame; null if a joiner does
  Joiner* joiner;                    // once it has started without a parent
  const Context* context = nullptr;  // null until it starts
  union {
    std::exception_ptr error;  // what left the coroutine instead of a value; destroy() sees to it
  };
#if WHARF_TASK_TRACE
  detail::FrameTrace trace;
#endif

  Frame() noexcept : error(nullptr) {}
  // Not the error: it would make every frame that ends keep a register, for those that end in one.
  ~Frame() {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // Notes where the coroutine itself is, as it is made.
  void note_beginning(const Site& site) noexcept;
  // Notes what the frame waits for from here on, for dumps: see trace.h. `awaiter` lives until the frame goes on.
  template <class Awaiter>
  void note_wait(const Site& site, const Awaiter& awaiter) noexcept;
  void note_child(const Site& site, const Frame& child) noexcept;
  // Notes where it is, and no more: it gives way without waiting.
  void note_site(const Site& site) noexcept;

  // The coroutine itself. Computed, and not kept, so that no await writes and reads it: a promise begins with its Frame,
  // and lies behind the coroutine's two pointers in every compiler of ours, as nothing in a promise is aligned to more
  // than those 16 bytes.
  std::coroutine_handle<> handle() noexcept {
    static_assert(alignof(Frame) <= 2 * sizeof(void*));
    return std::coroutine_handle<Frame>::from_promise(*this);
  }

  // Destroys the coroutine, which has not started or is suspended for good, and an error that nobody took.
  void destroy() noexcept {
    if (error != nullptr) return destroy_with_error();
    handle().destroy();
  }
  // Throws the error, which the frame then has no longer.
  [[noreturn]] void rethrow_error();

  bool started() const noexcept { return context != nullptr; }
  void schedule() noexcept;

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }

 private:
  void destroy_with_error() noexcept;
};

// A FIFO of ready frames.
class Executor {
 public:
  Executor() noexcept = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor();

  // The executor that drives this thread now, or null. In a coroutine: its own.
  WHARF_USES_THREAD_LOCAL static Executor* current() noexcept { return detail::current_executor; }

  // Adds a suspended frame to the end of the queue. A frame is in the queue once at most.
  void schedule(Frame& frame) noexcept {
    frame.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &frame;
    last_ = &frame;
  }

  // Resumes up to `frame_count_max` frames from the head of the queue. Returns how many. Enters the executor.
  std::size_t run_ready(std::size_t frame_count_max) noexcept;
  bool idle() const noexcept { return first_ == nullptr; }

  // Destroys a frame that has reached its end, as soon as the coroutine that is running gives way.
  void retire(Frame& frame) noexcept {
    frame.next = retired_;
    retired_ = &frame;
  }

  // What a coroutine continues with when it gives way to `frame`: the frame itself, or, where the compiler makes no tail
  // call and the stack is deep enough, nothing: then the frame is scheduled.
  std::coroutine_handle<> transfer_to(Frame& frame) noexcept {
    forget_wait(frame);
    return transfer_to_new(frame);
  }
  // The same for a frame that has never run.
  std::coroutine_handle<> transfer_to_new(Frame& frame) noexcept {
#if WHARF_CORO_BOUND_TRANSFERS
    if (detail::stack_address() < stack_end_) [[unlikely]] {
      schedule(frame);
      return std::noop_coroutine();
    }
#endif
    note_running(frame);
    return frame.handle();
  }

  // What the coroutine that runs now inherited; null between two. Those that await each other inherit the same, so no
  // await writes this.
  const Context* running() const noexcept { return running_; }

  // Where the coroutine that runs now was made or last suspended; line 0 if none runs.
  //
  // Threads: any. It may have given way meanwhile.
  std::source_location running_at() const noexcept;

  // Takes a started task into the list of those that have not ended, and out of it. Task::start and the end of a task
  // do so.
  void add_task(Frame& frame) noexcept;
  static void remove_task(Frame& frame) noexcept;
  // What to go on with after a started task, which has ended: takes it out, and tells its joiner. Apart from the end of a
  // task that is awaited, so that that one saves no registers for it.
  static std::coroutine_handle<> after_task(Frame& frame) noexcept;

  // Makes an executor current for as long as the object lives. They nest.
  class Entered {
   public:
    WHARF_USES_THREAD_LOCAL explicit Entered(Executor& executor) noexcept
        : outer_(std::exchange(detail::current_executor, &executor)) {}
    WHARF_USES_THREAD_LOCAL ~Entered() { detail::current_executor = outer_; }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    Executor* outer_;
  };

 protected:
  std::int64_t now_ns_ = 0;  // when whoever drives it last looked at the clock

 private:
  friend struct Frame;
  friend class TaskDump;

  // What transfers that are no tail calls may take of the stack, below run_ready(): a little of any thread's. The address
  // is compared, and not transfers counted: a number that each of them writes is what the next one waits for.
  static constexpr std::uintptr_t kTransferStackBytes = 48 * 1024;

  void reap() noexcept;
  static void forget_wait(Frame& frame) noexcept;
  void note_running(const Frame& frame) noexcept;
  void note_nothing_runs() noexcept;

  Frame* first_ = nullptr;
  Frame* last_ = nullptr;
  Frame* retired_ = nullptr;
  const Context* running_ = nullptr;
  std::uintptr_t stack_end_ = 0;  // below it a coroutine goes on by way of the queue
#if WHARF_TASK_TRACE
  detail::TaskLink tasks_{&tasks_, &tasks_};
  std::atomic<detail::NotedSite> running_at_{};
#endif
};

inline void Frame::schedule() noexcept { context->executor->schedule(*this); }

#if WHARF_TASK_TRACE
inline void Frame::note_beginning(const Site& site) noexcept { trace.begin(site); }
template <class Awaiter>
void Frame::note_wait(const Site& site, const Awaiter& awaiter) noexcept {
  trace.set_wait(site, detail::kWaitKind<Awaiter>, &awaiter, context->executor->now_ns_);
}
inline void Frame::note_child(const Site& site, const Frame& child) noexcept { trace.set_child(site, &child); }
inline void Frame::note_site(const Site& site) noexcept { trace.set_site(site); }

inline std::source_location Executor::running_at() const noexcept {
  return running_at_.load(std::memory_order_relaxed).site();
}
inline void Executor::forget_wait(Frame& frame) noexcept { frame.trace.clear_wait(); }
inline void Executor::note_running(const Frame& frame) noexcept {
  running_at_.store(frame.trace.noted(), std::memory_order_relaxed);
}
inline void Executor::note_nothing_runs() noexcept { running_at_.store({}, std::memory_order_relaxed); }
inline void Executor::add_task(Frame& frame) noexcept {
  detail::TaskLink& link = frame;
  link.older = tasks_.older;
  link.newer = &tasks_;
  tasks_.older->newer = &link;
  tasks_.older = &link;
}
inline void Executor::remove_task(Frame& frame) noexcept {
  detail::TaskLink& link = frame;
  link.older->newer = link.newer;
  link.newer->older = link.older;
}
#else
inline void Frame::note_beginning(const Site& /*site*/) noexcept {}
template <class Awaiter>
void Frame::note_wait(const Site& /*site*/, const Awaiter& /*awaiter*/) noexcept {}
inline void Frame::note_child(const Site& /*site*/, const Frame& /*child*/) noexcept {}
inline void Frame::note_site(const Site& /*site*/) noexcept {}
inline void Executor::forget_wait(Frame& /*frame*/) noexcept {}
inline std::source_location Executor::running_at() const noexcept { return {}; }
inline void Executor::note_running(const Frame& /*frame*/) noexcept {}
inline void Executor::note_nothing_runs() noexcept {}
inline void Executor::add_task(Frame& /*frame*/) noexcept {}
inline void Executor::remove_task(Frame& /*frame*/) noexcept {}
#endif

}  // namespace wharf::coro
