// EpollBackend: the Backend where io_uring is refused: in containers, on old kernels, under valgrind.
//
// poll() and wait() try what was queued, with calls that never wait (perform.h). What would have to wait is armed in an
// epoll instance, and tried again when its file is ready; what epoll refuses, such as files on a disk, goes to a few
// threads, and futexes to threads of their own. Invariants:
//   1. An operation that waits has a descriptor of its own, a duplicate. So operations never share a registration, and
//      one whose file is closed, or whose number is used anew, still means its own file, as in io_uring. Children of
//      fork() do not keep it: they could not know that it is there to be closed.
//   2. A registration is taken out before its duplicate is closed: the file is open elsewhere, and epoll goes by the file.
//   3. An event names a slot and its generation: one that was fetched before a cancel finds nobody.
//   4. on_complete runs only in poll() and wait().
//
// Threads: the one that created it; wake() any.
// Cost:    an operation that need not wait: its own call. One that waits: a descriptor meanwhile, and five calls.
//          poll(): a call if something waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/detail/buffer_rings.h"
#include "wharf/runtime/detail/epoll_set.h"
#include "wharf/runtime/detail/futex_waits.h"
#include "wharf/runtime/detail/list.h"
#include "wharf/runtime/detail/submission_queue.h"
#include "wharf/runtime/detail/worker_pool.h"

namespace wharf::runtime::detail {

struct SlotTag;

class EpollBackend final : public Backend {
 public:
  // Errors: InvalidArgument    operations_max is 0, or above 32767
  //         ResourceExhausted  no memory, or no file descriptor
  static StatusOr<std::unique_ptr<Backend>> create(std::uint32_t operations_max);
  // Aborts if an operation is in flight.
  ~EpollBackend() override;

  void submit(Operation& operation) noexcept override;
  void cancel(Operation& operation) noexcept override;
  std::size_t poll() noexcept override;
  std::size_t wait(std::int64_t deadline_ns) noexcept override;
  void wake() noexcept override;
  std::int64_t now_ns() const noexcept override { return runtime::now_ns(); }
  int add_buffers(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept override {
    return buffers_.add(group, ring, entry_count);
  }
  void remove_buffers(std::uint16_t group) noexcept override { buffers_.remove(group); }
  BackendCounters counters() const noexcept override { return counters_; }
  const char* name() const noexcept override { return "epoll"; }

 private:
  enum class Phase : std::uint8_t {
    kFree,
    kArmed,     // waits for its file
    kRetrying,  // waits for the next time that everything of this kind is tried
    kInPool,    // a thread has it, or will
    kOnFutex,   // a thread waits for its word
    kDone,      // its result is there, and is delivered at the end of this poll() or wait()
  };
  // An operation that has left the queue.
  struct Slot final : Job, FutexWaits::Client, ListNode<SlotTag> {
    void run() noexcept override;
    void on_futex_end(std::int32_t ended) noexcept override;
    void ended_elsewhere() noexcept;
    EpollBackend* backend = nullptr;
    Operation* operation = nullptr;
    PrivateFd duplicate;
    std::int32_t result = 0;
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    std::uint32_t next_free = 0;
    std::uint32_t moved_bytes = 0;     // of a receive that waits for all
    std::uint8_t idle_wake_count = 0;  // in a row
    Phase phase = Phase::kFree;

    int file() const noexcept { return duplicate ? duplicate.get() : operation->fd; }
  };
  using SlotList = List<Slot, SlotTag>;

  EpollBackend(EpollSet files, UniqueFd wake_fd, std::uint32_t operations_max);

  static bool is_poll(const Operation& operation) noexcept { return operation.opcode == Opcode::kPoll; }

  Slot* take_slot(Operation& operation) noexcept;  // null: no memory is left for one
  void free_slot(Slot& slot) noexcept;
  void start_queued() noexcept;
  std::int32_t try_now(Slot& slot) noexcept;
  void attempt(Slot& slot) noexcept;
  void arm(Slot& slot) noexcept;
  void disarm(Slot& slot) noexcept;
  void refused_by_epoll(Slot& slot) noexcept;
  void cannot_wait(Slot& slot) noexcept;
  void retry_later(Slot& slot) noexcept;
  std::size_t retry_due() noexcept;
  void give_to_pool(Slot& slot) noexcept;
  void wait_for_futex(Slot& slot) noexcept;
  void collect_from_threads() noexcept;
  void finish(Slot& slot, std::int32_t result) noexcept {
    slot.result = result;
    slot.phase = Phase::kDone;
    done_.push_back(slot);
  }

  // Sleeps until there is an event, or the deadline.
  std::size_t look(std::int64_t deadline_ns) noexcept;
  std::size_t on_event(std::uint64_t key, std::uint32_t events) noexcept;
  std::size_t next_shots(Slot& slot) noexcept;
  void idle_wake(Slot& slot) noexcept;
  std::size_t end(Slot& slot, std::int32_t result) noexcept;
  void complete(Operation& operation, std::int32_t result, bool more) noexcept;
  std::size_t deliver() noexcept;
  std::size_t take_wake() noexcept {
    if (!woken_.load(std::memory_order_relaxed)) return 0;
    return woken_.exchange(false, std::memory_order_acq_rel) ? 1 : 0;
  }
  std::size_t end_all(OperationList& list, std::int32_t result) noexcept;
  bool quiet() const noexcept {
    return used_count_ == 0 && queued_.empty() && cancelled_.empty() && !woken_.load(std::memory_order_relaxed);
  }

  EpollSet files_;
  const PrivateFd wake_fd_;  // never read: each write is an edge
  const std::uint32_t operations_max_;

  std::deque<Slot> slots_;
  std::uint32_t first_free_;
  std::uint32_t used_count_ = 0;
  std::uint32_t armed_count_ = 0;
  std::uint32_t on_thread_count_ = 0;
  SubmissionQueue queued_;
  OperationList cancelled_;
  OperationList refused_;  // for want of memory; empty outside poll() and wait()
  SlotList done_;
  SlotList retrying_;
  std::int64_t retry_at_ns_ = 0;  // if something is retrying_
  BackendCounters counters_;

  std::atomic<bool> woken_{false};
  BufferRings buffers_;
  std::mutex ended_mutex_;
  SlotList ended_elsewhere_;  // under ended_mutex_
  FutexWaits futexes_;        // last, with the pool: their threads use the rest
  WorkerPool pool_;
};

}  // namespace wharf::runtime::detail
