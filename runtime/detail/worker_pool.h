// WorkerPool: a few threads for what may block: files without io_uring, name resolution, a user's function.
//
// Ownership: jobs are the caller's, and stay where they are until they have run or were withdrawn.
// Threads:   push, withdraw and the destructor: any, one owner. Threads start as they are needed, and stay until the end;
//            signals are blocked in them (signals_blocked.h).
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "wharf/runtime/detail/list.h"

namespace wharf::runtime::detail {

struct JobTag;

class Job : private ListNode<JobTag> {
 public:
  // On a thread of the pool. Nothing touches the job afterwards, so that it may tell its owner, and die at once.
  virtual void run() noexcept = 0;

 protected:
  Job() noexcept = default;
  ~Job() = default;

 private:
  template <class, class>
  friend class List;
  friend class WorkerPool;
};

class WorkerPool {
 public:
  enum class Pushed : unsigned char {
    kTaken,
    kFull,      // queue_max jobs wait already
    kNoThread,  // none runs, and none can be started
  };

  WorkerPool(std::size_t thread_count_max, std::size_t queue_count_max) noexcept
      : thread_count_max_(thread_count_max), queue_count_max_(queue_count_max) {}
  // Waits for the jobs that are being run. Aborts if some still wait.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // First come, first served.
  Pushed push(Job& job) noexcept;
  // True: the job had not begun, and never will. False: it runs, or has run.
  bool withdraw(Job& job) noexcept;

  std::size_t thread_count() noexcept;

 private:
  using JobList = List<Job, JobTag>;

  void start_thread() noexcept;
  void work() noexcept;

  const std::size_t thread_count_max_;
  const std::size_t queue_count_max_;
  std::mutex mutex_;
  std::condition_variable some_;
  JobList waiting_;
  std::size_t waiting_count_ = 0;
  std::size_t idle_count_ = 0;  // threads that wait for a job
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace wharf::runtime::detail
