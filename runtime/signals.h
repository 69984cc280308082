// SignalSet: signals that are awaited instead of handled.
//
//     StatusOr<std::unique_ptr<SignalSet>> signals = SignalSet::create({SIGTERM, SIGINT});
//     StatusOr<int> signal = co_await (*signals)->next();
//
// The signals are blocked in this thread while the set lives; its end unblocks those that it has blocked,
// and leaves others alone, such as those of another set. Other threads must block them too: make the set
// before they start. Signals of one number that come together are one, as ever.
//
// Threads: the reactor's.
#pragma once

#include <csignal>
#include <memory>
#include <vector>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

class SignalSet {
 public:
  // Errors: InvalidArgument    a number that is no signal, or SIGKILL or SIGSTOP
  //         ResourceExhausted  no file descriptor
  static StatusOr<std::unique_ptr<SignalSet>> create(const std::vector<int>& signals);
  SignalSet(const SignalSet&) = delete;
  SignalSet& operator=(const SignalSet&) = delete;
  ~SignalSet();

  // The number of the next signal that comes, or has come.
  //
  // Errors: Cancelled         the task was stopped
  //         DeadlineExceeded  the deadline has passed
  // Cancel: honoured; takes no signal.
  coro::Task<StatusOr<int>> next(IoOptions options = {});

 private:
  explicit SignalSet(UniqueFd fd) noexcept;

  UniqueFd fd_;
  sigset_t blocked_;  // that were not before
};

}  // namespace wharf::runtime
