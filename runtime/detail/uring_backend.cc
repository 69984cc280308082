#include "wharf/runtime/detail/uring_backend.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/uring_describe.h"
#include "wharf/runtime/detail/uring_refusal.h"

namespace wharf::runtime::detail {
namespace {

constexpr std::uint32_t kRingEntriesLimit = 32'767;  // the kernel's, nearly
constexpr std::uint32_t kOperationsLimit = 32'767;   // with the waker, half the kernel's completions
constexpr Operation* kCancelAnswer = nullptr;        // whom the end of a cancellation is for

constexpr unsigned kCommonFlags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
// From the best to the plainest; the kernel says EINVAL to flags that it does not know.
constexpr std::array<unsigned, UringBackend::kSetupCount> kSetupFlags = {
    // 6.1: completions are worked out in our enter only, and a flag says when there are some.
    kCommonFlags | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    // 5.19: no interrupt of running code either. It is the first with multishot accept.
    kCommonFlags | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
};
constexpr unsigned kFeatures = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;

int set_up_ring(std::uint32_t ring_entries, std::uint32_t operations_max, std::size_t first_setup, io_uring& ring) {
  int result = -EINVAL;
  for (std::size_t setup = first_setup; setup < kSetupFlags.size(); ++setup) {
    io_uring_params params{};
    params.flags = kSetupFlags[setup];
    params.cq_entries = std::max(2 * operations_max, ring_entries);
    result = io_uring_queue_init_params(ring_entries, &ring, &params);
    if (result == -EINVAL) continue;
    if (result < 0) return result;
    if ((params.features & kFeatures) == kFeatures) break;
    io_uring_queue_exit(&ring);
    return -EINVAL;
  }
  if (result < 0) return result;
  result = io_uring_ring_dontfork(&ring);
  if (result < 0) {
    io_uring_queue_exit(&ring);
    return result;
  }
  // Spares a look-up in each enter. Older kernels cannot, and need not.
  static_cast<void>(io_uring_register_ring_fd(&ring));
  // A filter may allow the set-up alone: this is the time to know it.
  result = io_uring_get_events(&ring);
  if (result < 0 && result != -EINTR) {
    io_uring_queue_exit(&ring);
    return result;
  }
  return 0;
}

}  // namespace

StatusOr<std::unique_ptr<Backend>> UringBackend::create(std::uint32_t ring_entries, std::uint32_t operations_max,
                                                        std::size_t first_setup) {
  if (ring_entries == 0 || ring_entries > kRingEntriesLimit || operations_max == 0 ||
      operations_max > kOperationsLimit) {
    return make_status(StatusCode::kInvalidArgument, "io_uring: ring_entries and operations_max are 1 to 32767");
  }
  ++operations_max;  // for the waker
  const int eventfd = sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (eventfd < 0) {
    const bool none_left = eventfd == -EMFILE;
    return errno_status(-eventfd, "eventfd", none_left ? "no file descriptor is left: raise ulimit -n" : "");
  }
  UniqueFd wake_fd(eventfd);
  io_uring ring{};
  const int result = set_up_ring(ring_entries, operations_max, first_setup, ring);
  if (result < 0) return uring_refusal(-result);
  std::unique_ptr<io_uring, decltype(&io_uring_queue_exit)> owned(&ring, &io_uring_queue_exit);
  std::unique_ptr<Backend> backend(new UringBackend(ring, std::move(wake_fd), operations_max));
  static_cast<void>(owned.release());  // from here on it is the backend's
  return backend;
}

UringBackend::UringBackend(const io_uring& ring, UniqueFd wake_fd, std::uint32_t operations_max) noexcept
    : ring_(ring), wake_fd_(std::move(wake_fd)), operations_max_(operations_max) {
  waker_.opcode = Opcode::kPoll;
  waker_.multishot = true;
  waker_.fd = wake_fd_.get();
  waker_.flags = POLLIN;
  submit(waker_);
}

UringBackend::~UringBackend() {
  if (state(waker_) == OperationState::kQueued) {
    OperationList::remove(waker_);
  } else {
    --in_kernel_count_;
  }
  WHARF_CHECK(in_kernel_count_ == 0 && queued_.empty() && cancelled_.empty(),
              "a Reactor was destroyed with operations in flight: first destroy what they belong to");
  static_cast<void>(ring_fd_.release().release());  // its number may be used anew at once
  io_uring_queue_exit(&ring_);
}

void UringBackend::submit(Operation& operation) noexcept {
  WHARF_CHECK(!operation.in_flight(), "an operation was submitted while it was in flight");
  state(operation) = OperationState::kQueued;
  queued_.push(operation);
}

void UringBackend::cancel(Operation& operation) noexcept {
  if (operation.opcode == Opcode::kClose) return;
  if (state(operation) == OperationState::kQueued) {
    OperationList::remove(operation);
    cancelled_.push_back(operation);
  } else if (state(operation) == OperationState::kSubmitted) {
    cancelling_.push_back(operation);
  } else {
    return;
  }
  state(operation) = OperationState::kCancelling;
}

// False: the submission ring is full. So below.
bool UringBackend::tell_to_give_up(Operation& operation) noexcept {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return false;
  OperationList::remove(operation);
  io_uring_prep_cancel64(sqe, reinterpret_cast<std::uintptr_t>(&operation), 0);
  io_uring_sqe_set_data(sqe, kCancelAnswer);
  ++counters_.cancels;
  return true;
}

bool UringBackend::give_to_kernel(Operation& operation) noexcept {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return false;
  OperationList::remove(operation);
  uring_describe(operation, *sqe);
  io_uring_sqe_set_data(sqe, &operation);
  state(operation) = OperationState::kSubmitted;
  ++in_kernel_count_;
  ++counters_.submitted;
  return true;
}

// Moves what is queued into the submission ring. False: the ring was too small.
bool UringBackend::fill_ring() noexcept {
  while (Operation* operation = cancelling_.first()) {
    if (!tell_to_give_up(*operation)) return false;
  }
  // Before what waits for room: a wake must end the sleep however much that is.
  if (state(waker_) == OperationState::kQueued && !give_to_kernel(waker_)) return false;
  while (Operation* operation = queued_.first()) {
    if (in_kernel_count_ == operations_max_) {
      ++counters_.deferred;
      queued_.crowd();
      return true;
    }
    if (!give_to_kernel(*operation)) return false;
  }
  return true;
}

// Fills the ring, and empties it for as long as it is too small for everything. False: the kernel
// refuses for now, and there is more to submit.
bool UringBackend::prepare() noexcept {
  while (!fill_ring()) {
    enter_now();
    if (io_uring_sq_ready(&ring_) != 0) return false;
  }
  return true;
}

bool UringBackend::kernel_calls() const noexcept {
  return (io_uring_smp_load_acquire(ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void UringBackend::enter_now() noexcept { check_entered(io_uring_submit_and_get_events(&ring_)); }

void UringBackend::enter_and_sleep(std::int64_t deadline_ns) noexcept {
  ++counters_.sleeps;
  // A signal ends the call, and so does a stop of the process (SIGSTOP); but not the sleep. Where it has submitted
  // something, the call does not say so.
  for (;;) {
    const int result = sleep_once(deadline_ns);
    if (result < 0 && result != -EINTR) return;
    if (io_uring_cq_ready(&ring_) != 0) return;
    if (deadline_ns != kNever && now_ns() >= deadline_ns) return;
  }
}

int UringBackend::sleep_once(std::int64_t deadline_ns) noexcept {
  if (deadline_ns == kNever) return check_entered(io_uring_submit_and_wait(&ring_, 1));
  const std::int64_t now = now_ns();
  const std::int64_t left_ns = deadline_ns > now ? deadline_ns - now : 0;
  __kernel_timespec timeout{};
  timeout.tv_sec = left_ns / 1'000'000'000;
  timeout.tv_nsec = left_ns % 1'000'000'000;
  io_uring_cqe* unused = nullptr;
  return check_entered(io_uring_submit_and_wait_timeout(&ring_, &unused, 1, &timeout, nullptr));
}

int UringBackend::check_entered(int result) noexcept {
  sys::count(sys::Call::kIoUringEnter);
  ++counters_.enters;
  if (result >= 0 || result == -EINTR || result == -ETIME) return result;
  // Want of memory, or of room for completions: what was not submitted stays in the ring.
  const bool passing = result == -EAGAIN || result == -EBUSY || result == -ENOMEM;
  if (!passing) check_failed(__FILE__, __LINE__, "io_uring_enter", errno_text(-result));
  ++counters_.refused;
  return result;
}

// Nothing to submit, to reap or to deliver: the hot path of a reactor that polls shared memory.
bool UringBackend::quiet() const noexcept {
  return queued_.empty() && cancelling_.empty() && cancelled_.empty() && io_uring_cq_ready(&ring_) == 0 &&
         !kernel_calls() && io_uring_sq_ready(&ring_) == 0;
}

std::size_t UringBackend::poll() noexcept {
  if (quiet()) return 0;
  if (prepare() && (io_uring_sq_ready(&ring_) != 0 || kernel_calls())) enter_now();
  return harvest();
}

std::size_t UringBackend::wait(std::int64_t deadline_ns) noexcept {
  const bool ready = prepare();
  if (!ready || io_uring_cq_ready(&ring_) != 0 || !cancelled_.empty()) {
    if (ready && (io_uring_sq_ready(&ring_) != 0 || kernel_calls())) enter_now();
    return harvest();
  }
  enter_and_sleep(deadline_ns);
  return harvest();
}

inline void UringBackend::complete(Operation& operation, std::int32_t result, bool more) noexcept {
  if (!more) {
    // It may be waiting for its cancellation to be submitted.
    if (OperationList::linked(operation)) OperationList::remove(operation);
    state(operation) = OperationState::kIdle;
  }
  operation.on_complete(result, more);
}

std::size_t UringBackend::harvest() noexcept {
  // Only what is there now: completions may lead to new ones.
  const unsigned first = *ring_.cq.khead;
  const unsigned end = io_uring_smp_load_acquire(ring_.cq.ktail);
  const io_uring_cqe* const entries = ring_.cq.cqes;
  const unsigned mask = ring_.cq.ring_mask;
  std::size_t count = 0;
  for (unsigned at = first; at != end; ++at) {
    const io_uring_cqe& cqe = entries[at & mask];
    auto* const operation = static_cast<Operation*>(io_uring_cqe_get_data(&cqe));
    const std::int32_t result = cqe.res;
    const std::uint32_t flags = cqe.flags;
    const bool more = (flags & IORING_CQE_F_MORE) != 0;
    if (operation == kCancelAnswer) continue;  // the operation itself says how it ended
    if (!more) --in_kernel_count_;
    if (operation->buffer_group >= 0) {
      const bool taken = (flags & IORING_CQE_F_BUFFER) != 0;
      operation->buffer_taken = taken ? static_cast<std::int32_t>(flags >> IORING_CQE_BUFFER_SHIFT) : -1;
    }
    complete(*operation, result, more);
    ++count;
  }
  io_uring_cq_advance(&ring_, end - first);
  if (!cancelled_.empty()) count += harvest_cancelled();
  counters_.completions += count;
  return count;
}

std::size_t UringBackend::harvest_cancelled() noexcept {
  std::size_t count = 0;
  OperationList cancelled;
  cancelled.take_all(cancelled_);
  for (; Operation* operation = cancelled.pop_front(); ++count) {
    operation->buffer_taken = -1;
    complete(*operation, -ECANCELED, false);
  }
  return count;
}

void UringBackend::wake() noexcept {
  const std::uint64_t one = 1;
  // The counter cannot get full: nothing else can fail.
  static_cast<void>(sys::write(wake_fd_.get(), &one, sizeof(one)));
}

std::int64_t UringBackend::now_ns() const noexcept { return runtime::now_ns(); }

int UringBackend::add_buffers(std::uint16_t group, void* ring, std::uint32_t entry_count) noexcept {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring);
  registration.ring_entries = entry_count;
  registration.bgid = group;
  return io_uring_register_buf_ring(&ring_, &registration, 0);
}

void UringBackend::remove_buffers(std::uint16_t group) noexcept {
  static_cast<void>(io_uring_unregister_buf_ring(&ring_, group));
}

void UringBackend::Waker::on_complete(std::int32_t /*result*/, bool more) noexcept {
  if (!more) backend.submit(*this);
}

}  // namespace wharf::runtime::detail
