// FutexWaits: waits for words of memory where no io_uring does it: threads that sleep in futex_waitv, each with up to 127 words
// and one of its own, by which it is called back. So a cancellation is prompt, and takes no wake from others.
//
// What is awaited is a change of the word. A thread that has been called back or woken sleeps on none of its words for a moment;
// then it finds those that have changed. A wake in that moment of a word that is as before is not noticed: its waiter
// would look at the word, and wait again. A wake that comes while the thread sleeps ends the wait of its word, changed or not;
// of several that come at once the kernel names one, and the others end the waits of words that have changed.
//
// Ownership: a client stays where it is until its end; so does its word.
// Threads:   one, but for Client::on_futex_end. Threads start as they are needed, and stay until the end; every signal is
//            blocked in them.
// Cost:      start(): two system calls, and one of its thread. A wake: the same, and the thread's call takes time for each
//            of its words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace wharf::runtime::detail {

struct FutexWord {
  const void* address = nullptr;
  std::uint32_t expected = 0;
  bool is_private = false;  // to this process
};

class FutexWaits {
 public:
  static constexpr std::size_t kWordsPerThread = 127;  // the kernel's 128, and the thread's own
  static constexpr std::int32_t kWaiting = 1;

  class Client {
   public:
    // The end of the wait: 0, it was woken; -EAGAIN, the word has another value; -ECANCELED; or minus another errno. On the
    // thread that waited, which has let go of the word; must not call FutexWaits.
    virtual void on_futex_end(std::int32_t result) noexcept = 0;

   protected:
    Client() noexcept = default;
    ~Client() = default;
  };

  FutexWaits() noexcept;
  // Aborts if somebody waits.
  ~FutexWaits();
  FutexWaits(const FutexWaits&) = delete;
  FutexWaits& operator=(const FutexWaits&) = delete;

  // kWaiting: on_futex_end() follows, maybe before this returns. Otherwise the result, and nothing follows:
  // what on_futex_end() gets, or
  //   -ENOSYS  Linux is older than 5.16, or a filter says so
  //   -EPERM   a filter forbids the call
  //   -EUSERS  no further thread is to be had, and each that runs has 127 words
  std::int32_t start(Client& client, const FutexWord& word) noexcept;

  // Has the wait end early, with -ECANCELED unless it was woken before. False: it has ended, or is about to by an earlier
  // cancel.
  bool cancel(Client& client) noexcept;

  std::size_t thread_count() const noexcept { return threads_.size(); }

 private:
  class Thread;
  Thread* start_thread() noexcept;

  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace wharf::runtime::detail
