#include "wharf/runtime/detail/futex_waits.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/detail/signals_blocked.h"

namespace wharf::runtime::detail {
namespace {

std::uint32_t flags_of(const FutexWord& word) noexcept { return FUTEX_32 | (word.is_private ? FUTEX_PRIVATE_FLAG : 0); }

void describe(const FutexWord& word, futex_waitv& waiter) noexcept {
  waiter = {.val = word.expected,
            .uaddr = reinterpret_cast<std::uintptr_t>(word.address),
            .flags = flags_of(word),
            .__reserved = 0};
}

// Gives the index of the last one that was woken, or minus the errno.
std::int32_t sleep_on(const futex_waitv* waiters, std::size_t count, const timespec* deadline) noexcept {
  const auto result =
      static_cast<std::int32_t>(::syscall(SYS_futex_waitv, waiters, count, 0, deadline, CLOCK_MONOTONIC));
  return result < 0 ? -errno : result;
}

// Does not wait. -ETIMEDOUT: the word has the value that is expected.
std::int32_t look_at(const FutexWord& word) noexcept {
  futex_waitv waiter;
  describe(word, waiter);
  const timespec long_ago{};
  const std::int32_t result = sleep_on(&waiter, 1, &long_ago);
  return result == -EINTR ? -ETIMEDOUT : result;
}

void wake_one(const void* address, bool is_private) noexcept {
  const int operation = is_private ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
  ::syscall(SYS_futex, address, operation, 1, nullptr, nullptr, 0);
}

}  // namespace

// Invariants:
//   1. Others append entries and mark them; the thread alone takes them out, while it sleeps on none of them.
//   2. Whoever appends or marks does so under the lock, and sets called_ then. The thread clears it under the lock, before it
//      looks at the entries; so it does not sleep on a list that is out of date.
class FutexWaits::Thread {
 public:
  // Throws std::system_error.
  Thread() {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { work(); });
  }
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      WHARF_CHECK(count_ == 0, "the waits for futexes were destroyed while one is open");
      ending_ = true;
    }
    call();
    thread_.join();
  }

  // False: it is full.
  bool add(Client& client, const FutexWord& word) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (count_ == kWordsPerThread) return false;
      entries_[count_++] = {.word = word, .client = &client};
    }
    call();
    return true;
  }

  bool cancel(const Client& client) noexcept {
    if (!mark_cancelled(client)) return false;
    call();
    return true;
  }

 private:
  struct Entry {
    FutexWord word;
    Client* client = nullptr;
    std::int32_t result = kWaiting;
    bool cancelled = false;
    bool maybe_woken = false;  // while its word stayed as it was
  };

  bool mark_cancelled(const Client& client) noexcept {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < count_; ++i) {
      if (entries_[i].client != &client) continue;
      return !std::exchange(entries_[i].cancelled, true);
    }
    return false;
  }

  // Has it look at its entries.
  void call() noexcept {
    if (called_.exchange(1, std::memory_order_acq_rel) == 0) wake_one(&called_, true);
  }

  void work() noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      called_.store(0, std::memory_order_relaxed);
      end_what_is_over();
      if (ending_) return;
      const std::size_t count = count_;
      describe({.address = &called_, .expected = 0, .is_private = true}, waiters_[0]);
      for (std::size_t i = 0; i < count; ++i) describe(entries_[i].word, waiters_[i + 1]);
      lock.unlock();
      const std::int32_t result = sleep_on(waiters_.data(), count + 1, nullptr);
      lock.lock();
      note(result, count);
    }
  }

  void note(std::int32_t result, std::size_t count) noexcept {
    if (result > 0) {
      const auto woken = static_cast<std::size_t>(result - 1);
      entries_[woken].result = 0;
      // The kernel is silent about those before it. They are looked at again.
      for (std::size_t i = 0; i < woken; ++i) entries_[i].maybe_woken = true;
      return;
    }
    if (result == 0 || result == -EINTR) return;
    // Its own word may be the one that has changed.
    if (result == -EAGAIN && called_.load(std::memory_order_relaxed) != 0) return;
    look_at_each(count, result);
  }

  // The kernel does not say which of the words its error is about.
  void look_at_each(std::size_t count, std::int32_t error) noexcept {
    bool found = error == -EAGAIN;  // then it may have changed back
    for (std::size_t i = 0; i < count; ++i) {
      const std::int32_t result = look_at(entries_[i].word);
      if (result == -ETIMEDOUT) continue;
      entries_[i].result = result;
      found = true;
    }
    if (found) return;
    // About none of them: want of memory, for one.
    for (std::size_t i = 0; i < count; ++i) entries_[i].result = error;
  }

  void end_what_is_over() noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const Entry entry = entries_[i];
      if (entry.result != kWaiting) {
        entry.client->on_futex_end(entry.result);
      } else if (entry.cancelled) {
        // The wake that it may have taken is somebody else's now. One too many does no harm.
        if (entry.maybe_woken) wake_one(entry.word.address, entry.word.is_private);
        entry.client->on_futex_end(-ECANCELED);
      } else {
        entries_[kept++] = entry;
      }
    }
    count_ = kept;
  }

  std::mutex mutex_;
  std::array<Entry, kWordsPerThread> entries_;  // under mutex_, as are the next two
  std::size_t count_ = 0;
  bool ending_ = false;
  std::atomic<std::uint32_t> called_{0};
  std::array<futex_waitv, kWordsPerThread + 1> waiters_;  // the thread's
  std::thread thread_;
};

FutexWaits::FutexWaits() noexcept = default;
FutexWaits::~FutexWaits() = default;

std::int32_t FutexWaits::start(Client& client, const FutexWord& word) noexcept {
  const std::int32_t result = look_at(word);
  if (result != -ETIMEDOUT) return result;
  for (const std::unique_ptr<Thread>& thread : threads_) {
    if (thread->add(client, word)) return kWaiting;
  }
  Thread* const thread = start_thread();
  if (thread == nullptr) return -EUSERS;
  thread->add(client, word);
  return kWaiting;
}

bool FutexWaits::cancel(Client& client) noexcept {
  for (const std::unique_ptr<Thread>& thread : threads_) {
    if (thread->cancel(client)) return true;
  }
  return false;
}

FutexWaits::Thread* FutexWaits::start_thread() noexcept {
  try {
    threads_.reserve(threads_.size() + 1);
    threads_.push_back(std::make_unique<Thread>());
    return threads_.back().get();
  } catch (const std::system_error&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace wharf::runtime::detail
