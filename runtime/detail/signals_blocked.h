// SignalsBlocked: while it lives, threads that the calling thread starts take no signals: those are for threads that expect
// them. Signals that a fault of the thread itself raises stay open, and the profiler's.
//
// Threads: its maker's.
#pragma once

#include <csignal>

namespace wharf::runtime::detail {

class SignalsBlocked {
 public:
  SignalsBlocked() noexcept;
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace wharf::runtime::detail
