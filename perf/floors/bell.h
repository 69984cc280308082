// A bell: where one side of a link sleeps, and how the other wakes it. An eventfd that the sleeper's io_uring awaits with one
// multishot poll, and a word in shared memory that says whether anyone sleeps, so that a bell for nobody is not rung.
//
//   sleeper                                       ringer
//     S1 asleep = 1                                 R1 publish, or give credit
//     S2 fence, seq_cst                             R2 fence, seq_cst           <-> S2
//     S3 look for what it waits for                 R3 asleep?  then asleep = 0, write(2) to the eventfd
//     S4 found nothing: io_uring_enter
//
// One of S3 and R3 sees what the other did, so no wake is lost. The eventfd is never read: each write to it completes the
// poll once more.
//
// Threads: one sleeper and one ringer, in any two processes; both made by a fork after the constructor.
#pragma once

#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

class Bell {
 public:
  Bell() : fd_(check(::eventfd(0, EFD_CLOEXEC), "eventfd")) {
    void* memory =
        ::mmap(nullptr, sizeof(Word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    word_ = ::new (memory) Word;
  }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell() {
    if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
    ::munmap(word_, sizeof(Word));
    ::close(fd_);
  }

  // ---- The sleeper ----
  // In its own process, before it sleeps for the first time.
  void open() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    errno = -io_uring_queue_init_params(8, &ring_, &params);
    if (errno != 0) fail("io_uring_queue_init_params");
    io_uring_register_ring_fd(&ring_);
    submit_poll();
  }
  // Sleeps until found(): first looks, as S3 demands.
  template <class Found>
  void sleep_until(Found found) {
    for (;;) {
      word_->asleep.store(1, std::memory_order_relaxed);    // S1
      std::atomic_thread_fence(std::memory_order_seq_cst);  // S2 <-> R2
      if (found()) break;
      wait();
      if (found()) break;
    }
    word_->asleep.store(0, std::memory_order_relaxed);
  }

  // ---- The ringer ----
  // To be called after each publication that the sleeper may wait for.
  void ring_if_asleep() {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // R2 <-> S2
    if (word_->asleep.load(std::memory_order_relaxed) == 0) return;
    word_->asleep.store(0, std::memory_order_relaxed);
    const std::uint64_t one = 1;
    check(static_cast<int>(::write(fd_, &one, sizeof(one))), "write");
  }

 private:
  struct Word {
    alignas(128) std::atomic<std::uint32_t> asleep{0};
  };

  void submit_poll() {
    io_uring_prep_poll_multishot(io_uring_get_sqe(&ring_), fd_, POLLIN);
    if (io_uring_submit(&ring_) != 1) fail("io_uring_submit");
  }
  void wait() {
    io_uring_cqe* cqe = nullptr;
    errno = -io_uring_wait_cqe(&ring_, &cqe);
    if (errno == EINTR) return;
    if (errno != 0) fail("io_uring_wait_cqe");
    unsigned head = 0;
    unsigned count = 0;
    bool polls = true;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      polls = (cqe->flags & IORING_CQE_F_MORE) != 0;
    }
    io_uring_cq_advance(&ring_, count);
    if (!polls) submit_poll();
  }

  const int fd_;
  Word* word_;
  io_uring ring_{.ring_fd = -1};
};

}  // namespace wharf::perf
