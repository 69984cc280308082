// The seam between the reactor and the kernel: Operation, something that the kernel is asked to do,
// and Backend, which carries operations there and their completions back.
//
// Users await (io.h) or watch (watch.h); this is for who writes an awaiter, or a backend.
//
// Threads: the reactor's, but for Backend::wake.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/detail/list.h"

namespace wharf::runtime {

namespace detail {
struct OperationTag;
}

enum class Opcode : std::uint8_t {
  kNop,
  kAccept,   // result: the new fd; flags: SOCK_*; may be multishot
  kClose,    // never cancelled
  kConnect,  // memory: the address, and its size
  kPoll,     // flags: POLL*; result: the events; may be multishot, and then tells of edges
  kRead,     // memory: the buffer
  kRecv,     // memory: the buffer; flags: MSG_*
  kRecvmsg,  // memory: the msghdr; flags: MSG_*
  kSend,     // memory: the buffer; flags: MSG_*
  kSendmsg,  // memory: the msghdr; flags: MSG_*
  kWrite,    // memory: the buffer
};

// The position of the file itself, in Operation::offset.
inline constexpr std::uint64_t kCurrentPosition = ~std::uint64_t{0};

// One request to the kernel. Fill it in, then submit it; it may be used again after its end.
//
// Ownership: from submit() until the final completion, the object, its memory and what that points to
//            are the kernel's: they stay where they are, unchanged. A cancel does not alter that.
class Operation : private detail::ListNode<detail::OperationTag> {
 public:
  Opcode opcode = Opcode::kNop;
  bool multishot = false;
  std::int32_t fd = -1;
  std::uint32_t flags = 0;
  std::uint32_t memory_bytes = 0;
  void* memory = nullptr;
  std::uint64_t offset = kCurrentPosition;

  // Something has happened: `result` is that of the system call, or minus the errno. `more`: there
  // will be further completions; otherwise this one is final, and the operation is the caller's again.
  // Runs inside the harvest: it may only enqueue (frames, operations, timers), and may destroy the
  // operation if the completion is final.
  virtual void on_complete(std::int32_t result, bool more) noexcept = 0;

  bool in_flight() const noexcept { return state_ != State::kIdle; }

 protected:
  Operation() noexcept = default;
  virtual ~Operation() = default;

 private:
  friend class Backend;
  template <class, class>
  friend class detail::List;

  enum class State : std::uint8_t {
    kIdle,
    kQueued,      // in the backend's queue: the kernel does not know it yet
    kSubmitted,   // the kernel has it
    kCancelling,  // and shall be told to give it up, or has been
  };
  State state_ = State::kIdle;
  bool cancel_wanted_ = false;
};

struct BackendCounters {
  std::uint64_t enters = 0;       // system calls that submitted, reaped or slept
  std::uint64_t sleeps = 0;       // of the enters: those that were allowed to sleep
  std::uint64_t submitted = 0;    // operations that the kernel was given
  std::uint64_t cancels = 0;      // cancellations that the kernel was given
  std::uint64_t completions = 0;  // of operations
  std::uint64_t deferred = 0;     // operations that waited until others had ended, for want of room
  std::uint64_t refused = 0;      // enters that the kernel refused for now; they were repeated
};

class Backend {
 public:
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  // Queues an operation for the next poll() or wait(). It gets exactly one final completion, whatever
  // happens, and never before submit() has returned.
  virtual void submit(Operation& operation) noexcept = 0;

  // Asks for an early end: the final completion then says -ECANCELED, unless the operation came to
  // its end first. Does nothing if none is in flight.
  virtual void cancel(Operation& operation) noexcept = 0;

  // Gives the kernel what was queued and delivers what has completed. Returns how many completions it
  // delivered. Makes no system call if nothing is queued and the kernel has nothing to report.
  virtual std::size_t poll() noexcept = 0;

  // The same, but sleeps until there is a completion, a wake() or, at the latest, `deadline_ns`. May
  // return early without either.
  virtual std::size_t wait(std::int64_t deadline_ns) noexcept = 0;

  // Ends the wait() that is going on, or else the next one. Any thread.
  virtual void wake() noexcept = 0;

  // The reactor's clock: the monotonic one, or a simulated kernel's.
  virtual std::int64_t now_ns() const noexcept = 0;

  virtual BackendCounters counters() const noexcept = 0;

 protected:
  Backend() noexcept = default;

  // For backends: what an Operation keeps for them.
  using OperationState = Operation::State;
  using OperationList = detail::List<Operation, detail::OperationTag>;
  static OperationState& state(Operation& operation) noexcept { return operation.state_; }
  static bool& cancel_wanted(Operation& operation) noexcept { return operation.cancel_wanted_; }
};

}  // namespace wharf::runtime
