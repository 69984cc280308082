#include "wharf/runtime/close_elsewhere.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "wharf/runtime/base/sys.h"

namespace wharf::runtime {
namespace {

// The queue and its helpers. It lives as long as the process: a helper may hang in a close for ever.
class Closer {
 public:
  Closer() noexcept {
    // Without memory for it, a child of fork() that makes no use of this goes on as ever.
    static_cast<void>(pthread_atfork(before_fork, in_parent, in_child));
  }

  // False: no room, or no helper.
  bool push(int fd) noexcept {
    const std::lock_guard lock(mutex_);
    if (waiting_count_ == kClosingCountMax) return false;
    if (idle_count_ <= waiting_count_ && thread_count_ < kClosingThreadCountMax) start_thread();
    if (thread_count_ == 0) return false;
    waiting_[(first_ + waiting_count_++) % kClosingCountMax] = fd;
    some_.notify_one();
    return true;
  }

  std::size_t count() noexcept {
    const std::lock_guard lock(mutex_);
    return waiting_count_ + thread_count_ - idle_count_;
  }

 private:
  static void before_fork() noexcept;
  static void in_parent() noexcept;
  static void in_child() noexcept;

  void start_thread() noexcept {
    // A signal is for threads that expect one.
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    sys::thread_sigmask(SIG_SETMASK, &all, &old);
    try {
      std::thread(&Closer::run, this).detach();
      ++thread_count_;
      ++idle_count_;
    } catch (const std::system_error&) {
      // The helpers that there are will do.
    } catch (const std::bad_alloc&) {
    }
    sys::thread_sigmask(SIG_SETMASK, &old, nullptr);
  }

  void run() noexcept {
    std::unique_lock lock(mutex_);
    while (true) {
      some_.wait(lock, [this] { return waiting_count_ != 0; });
      const int fd = waiting_[first_];
      first_ = (first_ + 1) % kClosingCountMax;
      --waiting_count_;
      --idle_count_;
      lock.unlock();
      sys::close(fd);
      lock.lock();
      ++idle_count_;
    }
  }

  std::mutex mutex_;
  std::condition_variable some_;
  std::array<int, kClosingCountMax> waiting_;
  std::size_t first_ = 0;
  std::size_t waiting_count_ = 0;
  std::size_t thread_count_ = 0;
  std::size_t idle_count_ = 0;  // of the threads: not closing anything
};

Closer& closer() noexcept {
  alignas(Closer) static std::array<std::byte, sizeof(Closer)> memory;  // no want of it can be
  static auto* const only = ::new (memory.data()) Closer;
  return *only;
}

void Closer::before_fork() noexcept { closer().mutex_.lock(); }
void Closer::in_parent() noexcept { closer().mutex_.unlock(); }
// The helpers are the parent's. The next descriptor starts one here, which closes the copies of those that waited, too.
void Closer::in_child() noexcept {
  Closer& own = closer();
  own.thread_count_ = own.idle_count_ = 0;
  ::new (&own.some_) std::condition_variable;  // the old one counts waiters whom nobody can wake
  own.mutex_.unlock();
}

}  // namespace

void close_elsewhere(UniqueFd fd) noexcept {
  if (fd && closer().push(fd.get())) static_cast<void>(fd.release());
}

std::size_t closing_count() noexcept { return closer().count(); }

std::size_t closing_room() noexcept { return kClosingCountMax / 2 - std::min(closing_count(), kClosingCountMax / 2); }

}  // namespace wharf::runtime
