#include "wharf/runtime/detail/signals_blocked.h"

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime::detail {

SignalsBlocked::SignalsBlocked() noexcept {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
    sigdelset(&blocked, own);
  }
  sys::thread_sigmask(SIG_SETMASK, &blocked, &before_);
}

SignalsBlocked::~SignalsBlocked() { sys::thread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace wharf::runtime::detail
