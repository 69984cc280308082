// A ring of its own to try io_uring on: one operation at a time, each with its answer.
//
// Threads: its maker's.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <functional>

namespace wharf::runtime::explain {

class ProbeRing {
 public:
  // Sets it up with `flags` (IORING_SETUP_*) beside those that every kernel of ours knows.
  explicit ProbeRing(unsigned flags) noexcept;
  ~ProbeRing();
  ProbeRing(const ProbeRing&) = delete;
  ProbeRing& operator=(const ProbeRing&) = delete;

  // 0, or the errno of the set-up.
  int error() const noexcept { return error_; }
  io_uring& ring() noexcept { return ring_; }

  struct Answer {
    std::int32_t result;  // of the operation, or minus the errno; -ETIME if none came within a second
    std::uint32_t flags;  // IORING_CQE_F_*
  };
  // Submits what `prepare` describes; `provoke` then makes it happen; waits for the first completion.
  Answer ask(const std::function<void(io_uring_sqe&)>& prepare, const std::function<void()>& provoke = {});

  // Whether the kernel says that it knows the operation, by its number.
  bool knows(unsigned opcode) noexcept;

 private:
  io_uring ring_{};
  int error_;
  io_uring_probe* probe_ = nullptr;
};

}  // namespace wharf::runtime::explain
