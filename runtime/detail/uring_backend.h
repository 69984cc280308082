// UringBackend: the Backend on io_uring, Linux 6.1 and newer (5.19 does, somewhat slower).
//
// Operations wait in a queue of this object until poll() or wait() moves them into the submission ring
// and enters the kernel, once. Invariants:
//   1. At most operations_max operations, and the waker, are in the kernel; the completion ring has room for twice as
//      many: for the end of each, and for the answer to the one cancellation that each may see. So it
//      does not overflow. (A multishot operation that finds it full is ended by the kernel, and says so; the waker, too: it
//      has its room, and goes there before what waits for some.)
//   2. A cancellation is submitted only while its target is in flight, so the address that names the
//      target is no other operation's.
//
// Threads: the one that created it; wake() any. A forked child has neither the ring's memory nor its descriptor.
// Cost:    poll(): no system call if nothing is queued and the kernel has raised no flag.
#pragma once

#include <liburing.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/detail/submission_queue.h"

namespace wharf::runtime::detail {

class UringBackend final : public Backend {
 public:
  // There are several ways to set up a ring; the best that the kernel knows is taken. Tests try the
  // others by starting further down the list.
  static constexpr std::size_t kSetupCount = 2;

  // Errors: see Reactor::create.
  static StatusOr<std::unique_ptr<Backend>> create(std::uint32_t ring_entries, std::uint32_t operations_max,
                                                   std::size_t first_setup = 0);
  // Aborts if an operation is in flight.
  ~UringBackend() override;

  void submit(Operation& operation) noexcept override;
  void cancel(Operation& operation) noexcept override;
  std::size_t poll() noexcept override;
  std::size_t wait(std::int64_t deadline_ns) noexcept override;
  void wake() noexcept override;
  std::int64_t now_ns() const noexcept override;
  BackendCounters counters() const noexcept override { return counters_; }
  int add_buffers(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept override;
  void remove_buffers(std::uint16_t group) noexcept override;
  const char* name() const noexcept override { return "io_uring"; }

 private:
  // Ends a sleep: a poll on the eventfd that wake() writes to. It is never read, for each write is
  // an edge.
  struct Waker final : Operation {
    explicit Waker(UringBackend& owner) noexcept : backend(owner) {}
    void on_complete(std::int32_t result, bool more) noexcept override;
    UringBackend& backend;
  };

  UringBackend(const io_uring& ring, UniqueFd wake_fd, std::uint32_t operations_max) noexcept;

  bool fill_ring() noexcept;
  bool give_to_kernel(Operation& operation) noexcept;
  bool tell_to_give_up(Operation& operation) noexcept;
  bool prepare() noexcept;
  bool kernel_calls() const noexcept;
  bool quiet() const noexcept;
  void enter_now() noexcept;
  void enter_and_sleep(std::int64_t deadline_ns) noexcept;
  int sleep_once(std::int64_t deadline_ns) noexcept;
  int check_entered(int result) noexcept;
  std::size_t harvest() noexcept;
  std::size_t harvest_cancelled() noexcept;
  static void complete(Operation& operation, std::int32_t result, bool more) noexcept;

  io_uring ring_;
  PrivateFd ring_fd_{UniqueFd(ring_.ring_fd)};  // until ring_ closes it
  const PrivateFd wake_fd_;
  const std::uint32_t operations_max_;
  std::uint32_t in_kernel_count_ = 0;
  SubmissionQueue queued_;    // not in the kernel yet
  OperationList cancelling_;  // in the kernel; it is still to be told to give them up
  OperationList cancelled_;   // were cancelled while they were queued
  Waker waker_{*this};
  BackendCounters counters_;
};

}  // namespace wharf::runtime::detail
