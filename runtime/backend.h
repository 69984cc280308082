// The seam between the reactor and the kernel: Operation, something that the kernel is asked to do,
// and Backend, which carries operations there and their completions back.
//
// Users await (io.h) or watch (watch.h); this is for who writes an awaiter, or a backend.
//
// Threads: the reactor's, but for Backend::wake.
#pragma once

#include <sys/stat.h>

#include <cerrno>
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
  kAccept,     // result: the new fd; flags: SOCK_*; may be multishot
  kClose,      // never cancelled
  kConnect,    // memory: the address, and its size
  kFsync,      // flags: kFsyncDataOnly, or 0
  kFutexWait,  // memory: the word; offset: the value that it should have; flags: kFutexPrivate, or 0
  kMkdirat,    // fd: a directory, or AT_FDCWD; memory: the path; memory_bytes: the mode
  kOpenat,     // like kMkdirat; flags: O_*; result: the new fd
  kPoll,       // flags: POLL*; result: the events; may be multishot, and then tells of edges
  kRead,       // memory: the buffer
  kReadv,      // memory: iovecs; memory_bytes: how many
  kRecv,       // memory: the buffer, or the backend's if there is a buffer_group; then maybe multishot; flags: MSG_*
  kRecvmsg,    // memory: the msghdr; flags: MSG_*; with a buffer_group: multishot, see message_buffer.h
  kRenameat,   // memory: a RenameRequest; flags: RENAME_*
  kSend,       // memory: the buffer; flags: MSG_*
  kSendmsg,    // memory: the msghdr; flags: MSG_*
  kSplice,     // fd: the source; memory: a SpliceRequest; offset: in the source; flags: SPLICE_F_*
  kStatx,      // memory: a StatxRequest; flags: AT_*
  kUnlinkat,   // like kMkdirat; flags: AT_REMOVEDIR, or 0
  kWrite,      // memory: the buffer
  kWritev,     // memory: iovecs; memory_bytes: how many
};

inline constexpr std::uint32_t kFsyncDataOnly = 1;
// The futex is not shared with other processes.
inline constexpr std::uint32_t kFutexPrivate = 128;

// What some operations need beside an Operation's own fields. Directories: an fd, or AT_FDCWD.
struct RenameRequest {
  int source_directory;
  const char* source;
  int target_directory;
  const char* target;
};
struct SpliceRequest {
  int target;
  std::uint64_t target_offset;
  std::size_t bytes;
};
struct StatxRequest {
  int directory;
  const char* path;
  unsigned mask;  // STATX_*
  struct statx* result;
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
  // A group of Backend::add_buffers of which a buffer is taken for each completion, or -1; and the number of the one
  // that the completion in hand brought, or -1.
  std::int32_t buffer_group = -1;
  std::int32_t buffer_taken = -1;

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
  std::uint32_t slot_ = 0;  // where a backend keeps more about it
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
  // happens, and never before submit() has returned. What sends or writes is begun before what else was
  // queued for the same call, as long as there is room for all of it; otherwise they are begun in their order.
  virtual void submit(Operation& operation) noexcept = 0;

  // Asks for an early end: the final completion then says -ECANCELED, unless the operation came to
  // its end first. Does nothing if none is in flight.
  virtual void cancel(Operation& operation) noexcept = 0;

  // Gives the kernel what was queued and delivers what has completed. Returns how many completions it
  // delivered. Makes no system call if nothing is queued and the kernel has nothing to report.
  virtual std::size_t poll() noexcept = 0;

  // The same, but sleeps until there is a completion, a wake() or, at the latest, `deadline_ns`. A signal
  // does not end it; but a backend may return early.
  virtual std::size_t wait(std::int64_t deadline_ns) noexcept = 0;

  // Ends the wait() that is going on, or else the next one. Any thread.
  virtual void wake() noexcept = 0;

  // The reactor's clock: the monotonic one, or a simulated kernel's.
  virtual std::int64_t now_ns() const noexcept = 0;

  virtual BackendCounters counters() const noexcept = 0;

  // Has buffers for kRecv and kRecvmsg taken from `ring`, in the format of struct io_uring_buf_ring, with room for `entry_count`,
  // a power of two. The ring is the backend's until remove_buffers(). Gives 0, or minus the errno: -EEXIST, the number is
  // taken; -EOPNOTSUPP, this backend offers none.
  virtual int add_buffers(std::uint16_t /*group*/, void* /*ring*/, std::uint32_t /*entry_count*/) noexcept {
    return -EOPNOTSUPP;
  }
  // No operation of the group is in flight.
  virtual void remove_buffers(std::uint16_t /*group*/) noexcept {}
  // For people: "io_uring", "epoll".
  virtual const char* name() const noexcept { return "another"; }

 protected:
  Backend() noexcept = default;

  // For backends: what an Operation keeps for them.
  using OperationState = Operation::State;
  using OperationList = detail::List<Operation, detail::OperationTag>;
  static OperationState& state(Operation& operation) noexcept { return operation.state_; }
  static std::uint32_t& slot(Operation& operation) noexcept { return operation.slot_; }
};

}  // namespace wharf::runtime
