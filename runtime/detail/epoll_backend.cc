#include "wharf/runtime/detail/epoll_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/perform.h"

namespace wharf::runtime::detail {
namespace {

constexpr std::uint32_t kOperationsLimit = 32'767;  // as in io_uring
constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
constexpr std::uint64_t kWakeKey = ~std::uint64_t{0};
// Enough for a disk to have something to sort; a cpu is not what they wait for.
constexpr std::size_t kThreadCountMax = 4;
constexpr std::size_t kEventCountMax = 128;  // of one call; the rest comes with the next
constexpr int kShotCountMax = 64;            // of one multishot operation in one turn
// Where readiness says nothing (a full listener of a Unix socket, a datagram socket without a peer), or no descriptor is
// left for the wait, time alone helps.
constexpr std::uint8_t kIdleWakeCountMax = 4;
constexpr std::int64_t kRetryNs = 5'000'000;

bool passing(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOSPC;
}

int duplicate_of(int fd) noexcept {
  const int duplicate = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (duplicate >= 0) return duplicate;
  return errno == EINVAL ? -EMFILE : -errno;  // EINVAL: the limit is 0
}

bool is_poll(const Operation& operation) noexcept { return operation.opcode == Opcode::kPoll; }

}  // namespace

StatusOr<std::unique_ptr<Backend>> EpollBackend::create(std::uint32_t operations_max) {
  if (operations_max == 0 || operations_max > kOperationsLimit) {
    return make_status(StatusCode::kInvalidArgument, "epoll: operations_max is 1 to 32767");
  }
  const char* const remedy = "no file descriptor is left: raise ulimit -n";
  UniqueFd instance(::epoll_create1(EPOLL_CLOEXEC));
  if (!instance) return errno_status(errno, "epoll_create1", errno == EMFILE ? remedy : "");
  const int wake_fd = sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) return errno_status(-wake_fd, "eventfd", wake_fd == -EMFILE ? remedy : "");
  UniqueFd owned(wake_fd);
  EpollSet files(std::move(instance));
  const int result = files.add(wake_fd, EPOLLIN | EPOLLET, kWakeKey);
  if (result < 0) return errno_status(-result, "epoll_ctl");
  return std::unique_ptr<Backend>(
      new EpollBackend(std::move(files), std::move(owned), operations_max));
}

EpollBackend::EpollBackend(EpollSet files, UniqueFd wake_fd, std::uint32_t operations_max)
    : files_(std::move(files)),
      wake_fd_(std::move(wake_fd)),
      operations_max_(operations_max),
      first_free_(kNoSlot),
      pool_(kThreadCountMax, operations_max) {}

EpollBackend::~EpollBackend() {
  WHARF_CHECK(
      used_count_ == 0 && queued_.empty() && cancelled_.empty(),
      "a Reactor was destroyed with operations in flight: first destroy what they belong to");
}

void EpollBackend::submit(Operation& operation) noexcept {
  WHARF_CHECK(!operation.in_flight(), "an operation was submitted while it was in flight");
  state(operation) = OperationState::kQueued;
  queued_.push_back(operation);
}

void EpollBackend::cancel(Operation& operation) noexcept {
  if (operation.opcode == Opcode::kClose) return;
  if (state(operation) == OperationState::kQueued) {
    OperationList::remove(operation);
  } else if (state(operation) == OperationState::kSubmitted) {
    Slot& slot = slots_[Backend::slot(operation)];
    switch (slot.phase) {
      case Phase::kFree:
      case Phase::kDone:
        return;
      case Phase::kInPool:
        if (!pool_.withdraw(slot)) return;  // it has begun, and ends by itself
        --in_pool_count_;
        break;
      case Phase::kArmed:
        disarm(slot);
        break;
      case Phase::kRetrying:
        SlotList::remove(slot);
        break;
    }
    ++counters_.cancels;
    free_slot(slot);
  } else {
    return;
  }
  state(operation) = OperationState::kCancelling;
  cancelled_.push_back(operation);
}

EpollBackend::Slot* EpollBackend::take_slot(Operation& operation) noexcept {
  if (first_free_ == kNoSlot) {
    try {
      slots_.emplace_back();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    Slot& fresh = slots_.back();
    fresh.backend = this;
    fresh.index = static_cast<std::uint32_t>(slots_.size() - 1);
    fresh.next_free = kNoSlot;
    first_free_ = fresh.index;
  }
  Slot& slot = slots_[first_free_];
  first_free_ = slot.next_free;
  slot.operation = &operation;
  slot.idle_wake_count = 0;
  Backend::slot(operation) = slot.index;
  state(operation) = OperationState::kSubmitted;
  ++used_count_;
  ++counters_.submitted;
  return &slot;
}

void EpollBackend::free_slot(Slot& slot) noexcept {
  if (slot.duplicate >= 0) ::close(std::exchange(slot.duplicate, -1));
  slot.operation = nullptr;
  slot.phase = Phase::kFree;
  ++slot.generation;
  slot.next_free = first_free_;
  first_free_ = slot.index;
  --used_count_;
}

void EpollBackend::start_queued() noexcept {
  while (Operation* operation = queued_.first()) {
    if (used_count_ == operations_max_) {
      ++counters_.deferred;
      return;
    }
    OperationList::remove(*operation);
    if (Slot* const slot = take_slot(*operation); slot != nullptr) {
      attempt(*slot);
      continue;
    }
    if (operation->opcode == Opcode::kClose) static_cast<void>(perform(*operation, operation->fd, false));
    state(*operation) = OperationState::kCancelling;
    refused_.push_back(*operation);
  }
}

void EpollBackend::attempt(Slot& slot) noexcept {
  const Operation& operation = *slot.operation;
  // A multishot one is told at once of what is there already.
  if (!operation.multishot) {
    const std::int32_t result = perform(operation, slot.file(), true);
    if (result != -EAGAIN) return finish(slot, result);
  }
  if (awaited_events(operation) == 0) return give_to_pool(slot);
  arm(slot);
}

void EpollBackend::arm(Slot& slot) noexcept {
  if (slot.duplicate < 0) {
    const int duplicate = duplicate_of(slot.operation->fd);
    if (duplicate < 0) {
      return passing(-duplicate) ? cannot_wait(slot) : finish(slot, duplicate);
    }
    slot.duplicate = duplicate;
  }
  std::uint32_t events = awaited_events(*slot.operation);
  if (is_poll(*slot.operation) && slot.operation->multishot) events |= EPOLLET;
  const std::uint64_t key = std::uint64_t{slot.generation} << 32 | slot.index;
  const int result = files_.add(slot.duplicate, events, key);
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
  files_.remove(slot.duplicate);
  --armed_count_;
}

// A file on a disk, for one: it is always ready, and a read of it may wait for all that.
void EpollBackend::refused_by_epoll(Slot& slot) noexcept {
  if (!is_poll(*slot.operation)) return give_to_pool(slot);
  const std::int32_t result = perform(*slot.operation, slot.duplicate, true);
  finish(slot, result == -EAGAIN ? -EPERM : result);
}

// No descriptor, or no memory, is left for it. A multishot one has not been tried yet; it may end early at any time.
void EpollBackend::cannot_wait(Slot& slot) noexcept {
  if (slot.operation->multishot && !is_poll(*slot.operation)) {
    const std::int32_t result = perform(*slot.operation, slot.file(), true);
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
  ++in_pool_count_;
  if (pool_.push(slot) == WorkerPool::Pushed::kTaken) return;
  // There is room for all; so no thread is to be had.
  --in_pool_count_;
  finish(slot, perform(*slot.operation, slot.file(), false));
}

// On a thread of the pool.
void EpollBackend::Slot::run() noexcept {
  EpollBackend& owner = *backend;
  result = perform(*operation, file(), false);
  {
    const std::lock_guard lock(owner.ended_mutex_);
    owner.ended_in_pool_.push_back(*this);
  }
  owner.wake();
}

void EpollBackend::collect_from_pool() noexcept {
  if (in_pool_count_ == 0) return;
  SlotList ended;
  {
    const std::lock_guard lock(ended_mutex_);
    ended.take_all(ended_in_pool_);
  }
  while (Slot* slot = ended.pop_front()) {
    --in_pool_count_;
    finish(*slot, slot->result);
  }
}

std::size_t EpollBackend::poll() noexcept {
  if (quiet()) return 0;
  std::size_t count = take_wake() + retry_due();
  start_queued();
  if (armed_count_ != 0) count += look(0);
  collect_from_pool();
  return count + deliver();
}

std::size_t EpollBackend::wait(std::int64_t deadline_ns) noexcept {
  std::size_t count = take_wake() + retry_due();
  start_queued();
  collect_from_pool();
  if (count != 0 || !done_.empty() || !cancelled_.empty() || !refused_.empty()) {
    if (armed_count_ != 0) count += look(0);
  } else {
    ++counters_.sleeps;
    count = look(retrying_.empty() ? deadline_ns : std::min(deadline_ns, retry_at_ns_));
    count += take_wake();
    collect_from_pool();
  }
  return count + deliver();
}

std::size_t EpollBackend::look(std::int64_t deadline_ns) noexcept {
  std::array<epoll_event, kEventCountMax> events;
  const std::size_t found = files_.wait(events, deadline_ns);
  ++counters_.enters;
  std::size_t count = 0;
  for (std::size_t i = 0; i < found; ++i) {
    const epoll_event event = events[i];
    if (event.data.u64 != kWakeKey) count += on_event(event.data.u64, event.events);
  }
  return count;
}

std::size_t EpollBackend::on_event(std::uint64_t key, std::uint32_t events) noexcept {
  Slot& slot = slots_[static_cast<std::uint32_t>(key)];
  if (slot.generation != key >> 32 || slot.phase != Phase::kArmed) return 0;
  Operation& operation = *slot.operation;
  if (operation.multishot && !is_poll(operation)) return next_shots(slot);
  if (operation.multishot) {
    complete(operation, static_cast<std::int32_t>(events), true);
    return 1;
  }
  const std::int32_t result = perform(operation, slot.duplicate, true);
  if (result != -EAGAIN) return end(slot, result);
  idle_wake(slot);
  return 0;
}

// Everything that is there, up to a share of the turn.
std::size_t EpollBackend::next_shots(Slot& slot) noexcept {
  Operation& operation = *slot.operation;
  const std::uint32_t generation = slot.generation;
  for (int count = 0; count < kShotCountMax; ++count) {
    const std::int32_t result = perform(operation, slot.duplicate, true);
    if (result == -EAGAIN) {
      if (count == 0) idle_wake(slot);
      return static_cast<std::size_t>(count);
    }
    const bool at_end = result == 0 && operation.opcode != Opcode::kAccept;
    if (result < 0 || at_end) return end(slot, result) + static_cast<std::size_t>(count);
    slot.idle_wake_count = 0;
    complete(operation, result, true);
    if (slot.generation != generation) return static_cast<std::size_t>(count) + 1;  // cancelled
  }
  return kShotCountMax;
}

// Somebody else has taken what was there; or readiness says nothing about this operation.
void EpollBackend::idle_wake(Slot& slot) noexcept {
  if (++slot.idle_wake_count < kIdleWakeCountMax) return;
  disarm(slot);
  retry_later(slot);
}

std::size_t EpollBackend::end(Slot& slot, std::int32_t result) noexcept {
  Operation& operation = *slot.operation;
  if (slot.phase == Phase::kArmed) disarm(slot);
  free_slot(slot);
  complete(operation, result, false);
  return 1;
}

void EpollBackend::complete(Operation& operation, std::int32_t result, bool more) noexcept {
  if (!more) state(operation) = OperationState::kIdle;
  ++counters_.completions;
  operation.on_complete(result, more);
}

std::size_t EpollBackend::deliver() noexcept {
  std::size_t count = 0;
  SlotList done;  // only what is there now: completions may lead to new ones
  done.take_all(done_);
  while (Slot* slot = done.pop_front()) count += end(*slot, slot->result);
  count += end_all(cancelled_, -ECANCELED);
  return count + end_all(refused_, -ENOMEM);
}

std::size_t EpollBackend::end_all(OperationList& list, std::int32_t result) noexcept {
  std::size_t count = 0;
  OperationList now;
  now.take_all(list);
  for (; Operation* operation = now.pop_front(); ++count) complete(*operation, result, false);
  return count;
}

// One write for each sleep: who finds the flag set need not, for it is looked at before a sleep.
void EpollBackend::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  const std::uint64_t one = 1;
  // The counter cannot get full: nothing else can fail.
  static_cast<void>(sys::write(wake_fd_.get(), &one, sizeof(one)));
}

}  // namespace wharf::runtime::detail
