#include "wharf/runtime/detail/epoll_backend.h"

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
#include "wharf/runtime/detail/receive_all.h"

namespace wharf::runtime::detail {
namespace {

constexpr std::uint32_t kOperationsLimit = 32'767;  // as in io_uring
constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
constexpr std::uint64_t kWakeKey = ~std::uint64_t{0};
// Enough for a disk to have something to sort; a cpu is not what they wait for.
constexpr std::size_t kThreadCountMax = 4;
constexpr std::size_t kEventCountMax = 128;  // of one call; the rest comes with the next
constexpr int kShotCountMax = 64;            // of one multishot operation in one turn

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
  return std::unique_ptr<Backend>(new EpollBackend(std::move(files), std::move(owned), operations_max));
}

EpollBackend::EpollBackend(EpollSet files, UniqueFd wake_fd, std::uint32_t operations_max)
    : files_(std::move(files)),
      wake_fd_(std::move(wake_fd)),
      operations_max_(operations_max),
      first_free_(kNoSlot),
      pool_(kThreadCountMax, operations_max) {}

EpollBackend::~EpollBackend() {
  WHARF_CHECK(used_count_ == 0 && queued_.empty() && cancelled_.empty(),
              "a Reactor was destroyed with operations in flight: first destroy what they belong to");
}

void EpollBackend::submit(Operation& operation) noexcept {
  WHARF_CHECK(!operation.in_flight(), "an operation was submitted while it was in flight");
  state(operation) = OperationState::kQueued;
  queued_.push(operation);
}

void EpollBackend::cancel(Operation& operation) noexcept {
  if (operation.opcode == Opcode::kClose) return;
  if (state(operation) == OperationState::kQueued) {
    OperationList::remove(operation);
  } else if (state(operation) == OperationState::kSubmitted) {
    Slot& slot = slots_[Backend::slot(operation)];
    switch (slot.phase) {
      case Phase::kFree:
      case Phase::kDone: return;
      case Phase::kInPool:
        if (!pool_.withdraw(slot)) return;  // it has begun, and ends by itself
        --on_thread_count_;
        break;
      case Phase::kOnFutex:
        if (futexes_.cancel(slot)) ++counters_.cancels;
        return;  // its thread says how it ended
      case Phase::kArmed: disarm(slot); break;
      case Phase::kRetrying: SlotList::remove(slot); break;
    }
    ++counters_.cancels;
    // As in io_uring, what has come already is not lost.
    if (slot.moved_bytes != 0) return finish(slot, receive_no_more(operation, slot.moved_bytes));
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
  slot.moved_bytes = 0;
  Backend::slot(operation) = slot.index;
  state(operation) = OperationState::kSubmitted;
  ++used_count_;
  ++counters_.submitted;
  return &slot;
}

void EpollBackend::free_slot(Slot& slot) noexcept {
  slot.duplicate.reset();
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
      queued_.crowd();
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

std::size_t EpollBackend::poll() noexcept {
  if (quiet()) return 0;
  std::size_t count = take_wake() + retry_due();
  start_queued();
  if (armed_count_ != 0) count += look(0);
  collect_from_threads();
  return count + deliver();
}

std::size_t EpollBackend::wait(std::int64_t deadline_ns) noexcept {
  std::size_t count = take_wake() + retry_due();
  start_queued();
  collect_from_threads();
  if (count != 0 || !done_.empty() || !cancelled_.empty() || !refused_.empty()) {
    if (armed_count_ != 0) count += look(0);
  } else {
    ++counters_.sleeps;
    std::int64_t until_ns = 0;
    // Neither the news of a wake that was taken already ends the sleep, nor a file that was ready for somebody else.
    do {
      until_ns = retrying_.empty() ? deadline_ns : std::min(deadline_ns, retry_at_ns_);
      count = look(until_ns) + take_wake();
      collect_from_threads();
    } while (count == 0 && done_.empty() && now_ns() < until_ns);
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
  const std::uint32_t moved_bytes = slot.moved_bytes;
  const std::int32_t result = try_now(slot);
  if (result != -EAGAIN) return end(slot, result);
  if (slot.moved_bytes != moved_bytes) {
    slot.idle_wake_count = 0;
  } else {
    idle_wake(slot);
  }
  return 0;
}

// Everything that is there, up to a share of the turn.
std::size_t EpollBackend::next_shots(Slot& slot) noexcept {
  Operation& operation = *slot.operation;
  const std::uint32_t generation = slot.generation;
  for (int count = 0; count < kShotCountMax; ++count) {
    const std::int32_t result = try_now(slot);
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
  for (; Operation* operation = now.pop_front(); ++count) {
    operation->buffer_taken = -1;
    complete(*operation, result, false);
  }
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
