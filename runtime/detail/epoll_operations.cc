// What becomes of an operation that has left the queue of an EpollBackend: it is tried, and waits for its file, for time, or on
// a thread.
#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <mutex>

#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/detail/perform.h"
#include "wharf/runtime/detail/receive_all.h"

namespace wharf::runtime::detail {
namespace {

// Where readiness says nothing (a full listener of a Unix socket, a datagram socket without a peer), or no descriptor is
// left for the wait, time alone helps.
constexpr std::uint8_t kIdleWakeCountMax = 4;
constexpr std::int64_t kRetryNs = 5'000'000;

bool passing(int error) noexcept { return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOSPC; }

int duplicate_of(int fd) noexcept {
  const int duplicate = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (duplicate >= 0) return duplicate;
  return errno == EINVAL ? -EMFILE : -errno;  // EINVAL: the limit is 0
}

}  // namespace

// Without waiting. -EAGAIN: it would have to.
std::int32_t EpollBackend::try_now(Slot& slot) noexcept {
  Operation& operation = *slot.operation;
  const int file = slot.file();
  if (operation.buffer_group >= 0) {
    return buffers_.receive(operation, file);
  }
  if (receives_all(operation, file)) return receive_more(operation, file, slot.moved_bytes);
  return perform(operation, file, true);
}

void EpollBackend::attempt(Slot& slot) noexcept {
  const Operation& operation = *slot.operation;
  if (operation.opcode == Opcode::kFutexWait) return wait_for_futex(slot);
  // A multishot one is told at once of what is there already.
  if (!operation.multishot) {
    const std::int32_t result = try_now(slot);
    if (result != -EAGAIN) return finish(slot, result);
  }
  if (awaited_events(operation) == 0) return give_to_pool(slot);
  arm(slot);
}

void EpollBackend::arm(Slot& slot) noexcept {
  if (!slot.duplicate) {
    const int duplicate = duplicate_of(slot.operation->fd);
    if (duplicate < 0) {
      return passing(-duplicate) ? cannot_wait(slot) : finish(slot, duplicate);
    }
    slot.duplicate.reset(UniqueFd(duplicate));
  }
  std::uint32_t events = awaited_events(*slot.operation);
  if (is_poll(*slot.operation) && slot.operation->multishot) events |= EPOLLET;
  const std::uint64_t key = std::uint64_t{slot.generation} << 32 | slot.index;
  const int result = files_.add(slot.duplicate.get(), events, key);
  if (result == 0) {
    slot.phase = Phase::kArmed;
    ++armed_count_;
  } else if (result == -EPERM) {
    refused_by_epoll(slot);
  } else if (passing(-result)) {
    cannot_wait(slot);
  } else {
    finish(slot, result);
  }
}

void EpollBackend::disarm(Slot& slot) noexcept {
  files_.remove(slot.duplicate.get());
  --armed_count_;
}

// A file on a disk, for one: it is always ready, and a read of it may wait for all that.
void EpollBackend::refused_by_epoll(Slot& slot) noexcept {
  if (!is_poll(*slot.operation)) return give_to_pool(slot);
  const std::int32_t result = perform(*slot.operation, slot.duplicate.get(), true);
  finish(slot, result == -EAGAIN ? -EPERM : result);
}

// No descriptor, or no memory, is left for it. A multishot one has not been tried yet; it may end early at any time.
void EpollBackend::cannot_wait(Slot& slot) noexcept {
  if (slot.operation->multishot && !is_poll(*slot.operation)) {
    const std::int32_t result = try_now(slot);
    if (result != -EAGAIN) return finish(slot, result);
  }
  retry_later(slot);
}

void EpollBackend::retry_later(Slot& slot) noexcept {
  if (retrying_.empty()) retry_at_ns_ = now_ns() + kRetryNs;
  slot.phase = Phase::kRetrying;
  retrying_.push_back(slot);
}

std::size_t EpollBackend::retry_due() noexcept {
  if (retrying_.empty() || now_ns() < retry_at_ns_) return 0;
  std::size_t count = 0;
  SlotList due;
  due.take_all(retrying_);
  while (Slot* slot = due.pop_front()) {
    // One more wake for nothing, and it comes back.
    if (slot->idle_wake_count != 0) slot->idle_wake_count = kIdleWakeCountMax - 1;
    attempt(*slot);
    Operation& operation = *slot->operation;
    if (slot->phase != Phase::kRetrying || !is_poll(operation) || !operation.multishot) continue;
    // Still without a registration, it tells what is there: a report too many rather than none.
    const std::int32_t ready = perform(operation, slot->file(), true);
    if (ready <= 0) continue;
    complete(operation, ready, true);
    ++count;
  }
  return count;
}

void EpollBackend::give_to_pool(Slot& slot) noexcept {
  slot.phase = Phase::kInPool;
  ++on_thread_count_;
  if (pool_.push(slot) == WorkerPool::Pushed::kTaken) return;
  // There is room for all; so no thread is to be had.
  --on_thread_count_;
  finish(slot, perform(*slot.operation, slot.file(), false));
}

void EpollBackend::wait_for_futex(Slot& slot) noexcept {
  const Operation& operation = *slot.operation;
  slot.phase = Phase::kOnFutex;
  ++on_thread_count_;
  const std::int32_t result = futexes_.start(slot, {.address = operation.memory,
                                                    .expected = static_cast<std::uint32_t>(operation.offset),
                                                    .is_private = (operation.flags & kFutexPrivate) != 0});
  if (result == FutexWaits::kWaiting) return;
  --on_thread_count_;
  finish(slot, result);
}

// On a thread of the pool.
void EpollBackend::Slot::run() noexcept {
  result = perform(*operation, file(), false);
  ended_elsewhere();
}

// On a thread that waits for futexes.
void EpollBackend::Slot::on_futex_end(std::int32_t ended) noexcept {
  result = ended;
  ended_elsewhere();
}

void EpollBackend::Slot::ended_elsewhere() noexcept {
  EpollBackend& owner = *backend;
  {
    const std::lock_guard lock(owner.ended_mutex_);
    owner.ended_elsewhere_.push_back(*this);
  }
  owner.wake();
}

void EpollBackend::collect_from_threads() noexcept {
  if (on_thread_count_ == 0) return;
  SlotList ended;
  {
    const std::lock_guard lock(ended_mutex_);
    ended.take_all(ended_elsewhere_);
  }
  while (Slot* slot = ended.pop_front()) {
    --on_thread_count_;
    finish(*slot, slot->result);
  }
}

// Somebody else has taken what was there; or readiness says nothing about this operation.
void EpollBackend::idle_wake(Slot& slot) noexcept {
  if (++slot.idle_wake_count < kIdleWakeCountMax) return;
  disarm(slot);
  retry_later(slot);
}

}  // namespace wharf::runtime::detail
