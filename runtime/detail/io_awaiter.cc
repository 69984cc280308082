#include "wharf/runtime/detail/io_awaiter.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "wharf/runtime/base/check.h"
#include "wharf/runtime/detail/time_left.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {
IoAwaiter::IoAwaiter(const char* name, Opcode operation, int file, IoOptions options) noexcept
    : name_(name), deadline_ns_(options.deadline_ns) {
  opcode = operation;
  fd = file;
}

void IoAwaiter::set_memory(const void* address, std::size_t bytes) noexcept {
  memory = const_cast<void*>(address);
  memory_bytes = static_cast<std::uint32_t>(std::min(bytes, kTransferBytesMax));
}

// False: the operation is not to be started.
bool IoAwaiter::begin(coro::Frame& frame) noexcept {
  Reactor& reactor = Reactor::current();
  frame_ = &frame;
  backend_ = &reactor.backend();
  if (cancellable_) {
    const bool limited = deadline_ns_ != kNever;
    const bool late = limited && deadline_ns_ <= reactor.now_ns();
    if (late || !frame.context->stop.attach(*this)) {
      interrupted_ = late ? Interrupted::kDeadline : Interrupted::kStopped;
      result_ = -ECANCELED;
      return false;
    }
    if (limited) Timer::set(deadline_ns_);
  }
  backend_->submit(*this);
  return true;
}

void IoAwaiter::describe_wait(std::string& text, std::int64_t now_ns) const {
  text += name_;
  text += " fd ";
  text += std::to_string(fd);
  append_time_left(text, deadline_ns_, now_ns);
}

void IoAwaiter::interrupt(Interrupted reason) noexcept {
  if (interrupted_ == Interrupted::kNo) interrupted_ = reason;
  backend_->cancel(*this);
}

void IoAwaiter::on_stop() noexcept { interrupt(Interrupted::kStopped); }

void IoAwaiter::on_expired() noexcept { interrupt(Interrupted::kDeadline); }

void IoAwaiter::on_complete(std::int32_t result, bool /*more*/) noexcept {
  if (result < 0) [[unlikely]] {
    // The kernel's own names for EINTR (ERESTARTSYS and its kin), which a splice lets through.
    if (result <= -512 && result >= -516) result = -EINTR;
    const bool again = result == -EINTR && cancellable_ && interrupted_ == Interrupted::kNo;
    if (again) return backend_->submit(*this);
  }
  result_ = result;
  StopCallback::detach();
  Timer::cancel();
  frame_->schedule();
}

Status IoAwaiter::status() const {
  if (result_ >= 0) return absl::OkStatus();
  const bool given_up = result_ == -ECANCELED || result_ == -EINTR;
  if (given_up && interrupted_ == Interrupted::kStopped) {
    return make_status(StatusCode::kCancelled, std::string(name_) + ": the task was stopped");
  }
  if (given_up && interrupted_ == Interrupted::kDeadline) {
    return make_status(StatusCode::kDeadlineExceeded, std::string(name_) + ": the deadline has passed");
  }
  return errno_status(-result_, name_);
}

}  // namespace wharf::runtime::detail
