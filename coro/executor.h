// The seam between coroutines and whatever runs them: Frame, the header of every coroutine of ours; Context, what it
// inherits from the task that awaits it; Executor, the queue of frames that are ready to go on.
//
// The reactor is an Executor, and so is the loop of a test. Who writes an awaiter keeps the Frame of the coroutine that
// it suspended, and calls `frame.schedule()` once when the wait is over: the frame goes to the end of the queue, and is
// never resumed from inside the call.
//
// Threads: an Executor and all its frames belong to the thread that drives it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>

#include "wharf/coro/compiler.h"
#include "wharf/coro/frame_cache.h"
#include "wharf/coro/stop_token.h"

namespace wharf::coro {

class Executor;
struct Frame;

// What a task hands down to the tasks that it awaits. It lives in a Scope, an awaiter or the executor's caller, and
// outlives the frames that point to it.
struct Context {
  Executor* executor = nullptr;
  StopToken stop;
};

// Learns that a task which nobody awaits directly has ended: a Scope, or a combinator.
class Joiner {
 public:
  // The child is suspended for good and its result is in place. Returns the frame to go on with, or null.
  virtual Frame* child_done(Frame& child) noexcept = 0;

 protected:
  ~Joiner() = default;
};

// The part of a coroutine that needs no types. Every promise derives from it.
struct Frame {
  std::coroutine_handle<> handle;
  Frame* next = nullptr;             // in the ready queue, or the list of a Scope's dead
  Frame* parent = nullptr;           // awaits this frame; null if a joiner does
  Joiner* joiner = nullptr;          // null if a parent awaits it
  const Context* context = nullptr;  // null until it starts
  std::exception_ptr error;          // what left the coroutine instead of a value

  bool started() const noexcept { return context != nullptr; }
  void schedule() noexcept;

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }
};

// A FIFO of ready frames.
class Executor {
 public:
  Executor() noexcept = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor();

  // The executor that drives this thread now, or null.
  static Executor* current() noexcept;

  // Adds a suspended frame to the end of the queue. A frame is in the queue once at most.
  void schedule(Frame& frame) noexcept {
    frame.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &frame;
    last_ = &frame;
  }

  // Resumes up to `frame_count_max` frames from the head of the queue. Returns how many.
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
#if WHARF_CORO_BOUND_TRANSFERS
    if (transfers_left_ == 0) {
      schedule(frame);
      return std::noop_coroutine();
    }
    --transfers_left_;
#endif
    return frame.handle;
  }

  // Makes an executor current for as long as the object lives. They nest.
  class Entered {
   public:
    explicit Entered(Executor& executor) noexcept;
    ~Entered();
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    Executor* outer_;
  };

 private:
  // A transfer that is no tail call costs up to about 400 bytes of stack; 128 of them fit any thread's.
  static constexpr std::uint32_t kTransfersMax = 128;

  void reap() noexcept;

  Frame* first_ = nullptr;
  Frame* last_ = nullptr;
  Frame* retired_ = nullptr;
  std::uint32_t transfers_left_ = kTransfersMax;
};

inline void Frame::schedule() noexcept { context->executor->schedule(*this); }

}  // namespace wharf::coro
