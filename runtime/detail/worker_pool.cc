#include "wharf/runtime/detail/worker_pool.h"

#include <new>
#include <system_error>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/detail/signals_blocked.h"

namespace wharf::runtime::detail {

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    WHARF_CHECK(waiting_.empty(), "a pool of threads was destroyed while a job waits");
    ending_ = true;
  }
  some_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

WorkerPool::Pushed WorkerPool::push(Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (waiting_count_ == queue_count_max_) return Pushed::kFull;
  if (idle_count_ <= waiting_count_ && threads_.size() < thread_count_max_) start_thread();
  if (threads_.empty()) return Pushed::kNoThread;
  waiting_.push_back(job);
  ++waiting_count_;
  some_.notify_one();
  return Pushed::kTaken;
}

bool WorkerPool::withdraw(Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (!JobList::linked(job)) return false;
  JobList::remove(job);
  --waiting_count_;
  return true;
}

std::size_t WorkerPool::thread_count() noexcept {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

// It counts as idle from here on: the job that it was started for waits in the queue.
void WorkerPool::start_thread() noexcept {
  const SignalsBlocked blocked;
  try {
    threads_.emplace_back(&WorkerPool::work, this);
    ++idle_count_;
  } catch (const std::system_error&) {
    // The threads that there are will do.
  } catch (const std::bad_alloc&) {
  }
}

void WorkerPool::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    some_.wait(lock, [this] { return ending_ || waiting_count_ != 0; });
    if (waiting_count_ == 0) return;
    Job& job = *waiting_.pop_front();
    --waiting_count_;
    --idle_count_;
    lock.unlock();
    job.run();
    lock.lock();
    ++idle_count_;
  }
}

}  // namespace wharf::runtime::detail
