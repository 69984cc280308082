// futex_wait: until another thread or process wakes a word of shared memory.
//
//     while (flag.load() == 0) {
//       Status woken = co_await futex_wait(flag, 0);
//       if (!woken.ok()) co_return woken;
//     }
//
// Ownership: the word is borrowed until the co_await is over.
// Errors:    Cancelled, DeadlineExceeded  as in io.h
//            Unimplemented                Linux is older than 6.7; on epoll, 5.16, or a filter forbids futex_waitv
//            ResourceExhausted            on epoll: no thread to wait on can be started
//            any other                    errno_status(): a bad address, for one
// Cancel:    honoured; takes no wake from others.
// Threads:   the reactor's. Whoever changes the word and wakes it may be on any, or in another process.
// Cost:      a share of the turn's one system call. On epoll: two calls, and a thread of the reactor's for each 127 words that
//            are awaited at once. Within one process Reactor::post is the cheaper doorbell.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "wharf/runtime/detail/io_awaiter.h"

namespace wharf::runtime {

namespace detail {

class [[nodiscard]] FutexAwaiter final : public IoAwaiter {
 public:
  FutexAwaiter(const void* word, std::uint32_t expected, std::uint32_t futex_flags, IoOptions options) noexcept
      : IoAwaiter("futex_wait", Opcode::kFutexWait, -1, options) {
    memory = const_cast<void*>(word);
    offset = expected;
    flags = futex_flags;
  }
  Status await_resume() const {
    if (result() == -EAGAIN) return absl::OkStatus();
    switch (result()) {
      case -EINVAL: return make_status(StatusCode::kUnimplemented, "futex_wait: needs io_uring of Linux 6.7");
      case -ENOSYS:
        return make_status(StatusCode::kUnimplemented,
                           "futex_wait: on epoll it needs futex_waitv of Linux 5.16 (ENOSYS)");
      case -EPERM:
        return make_status(StatusCode::kUnimplemented,
                           "futex_wait: on epoll it needs futex_waitv, which a seccomp filter forbids (EPERM)");
      case -EUSERS:
        return make_status(StatusCode::kResourceExhausted,
                           "futex_wait: no thread can be started: raise ulimit -u or pids.max");
      default: return status();
    }
  }
};

}  // namespace detail

enum class FutexKind : std::uint8_t { kShared, kPrivate };  // between processes, or within this one

// OK: somebody woke it (FUTEX_WAKE), or the word does not have the value `expected`. Look at it again. Change the word before
// the wake: one that leaves it at `expected` ends the wait in io_uring, and may be missed on epoll.
inline auto futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                       FutexKind kind = FutexKind::kShared, IoOptions options = {}) noexcept {
  return detail::FutexAwaiter(&word, expected, kind == FutexKind::kPrivate ? kFutexPrivate : 0, options);
}

}  // namespace wharf::runtime
