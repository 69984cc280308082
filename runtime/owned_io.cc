#include "wharf/runtime/owned_io.h"

#include <cerrno>
#include <string>

#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/detail/time_left.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

class OwnedAwaiter::Owned final : public Abandonable {
 public:
  Owned(OwnedAwaiter& awaiter, Buffer taken) noexcept
      : buffer(std::move(taken)), awaiter_(awaiter) {
    memory = buffer.data();
    memory_bytes = static_cast<std::uint32_t>(std::min(buffer.size(), kTransferBytesMax));
  }
  Buffer buffer;

 private:
  void on_result(std::int32_t result, bool /*more*/) noexcept override {
    if (result == -EINTR) {
      start(Reactor::current());
    } else {
      awaiter_.finish(result);
    }
  }

  OwnedAwaiter& awaiter_;
};

OwnedAwaiter::OwnedAwaiter(const char* name, Opcode opcode, int file, Buffer buffer,
                           std::uint32_t flags, std::uint64_t offset, IoOptions options)
    : name_(name),
      deadline_ns_(options.deadline_ns),
      operation_(new Owned(*this, std::move(buffer))) {
  operation_->opcode = opcode;
  operation_->fd = file;
  operation_->flags = flags;
  operation_->offset = offset;
}

OwnedAwaiter::~OwnedAwaiter() {
  if (operation_ != nullptr) operation_->abandon();
}

// False: the operation is not to be started.
bool OwnedAwaiter::begin(coro::Frame& frame) noexcept {
  Reactor& reactor = Reactor::current();
  frame_ = &frame;
  if (deadline_ns_ != kNever && deadline_ns_ <= reactor.now_ns()) {
    given_up_ = StatusCode::kDeadlineExceeded;
    return false;
  }
  if (!frame.context->stop.attach(*this)) {
    given_up_ = StatusCode::kCancelled;
    return false;
  }
  Timer::set(deadline_ns_);
  operation_->start(reactor);
  return true;
}

void OwnedAwaiter::describe_wait(std::string& text, std::int64_t now_ns) const {
  text += name_;
  if (operation_ != nullptr) text += " fd " + std::to_string(operation_->fd);
  append_time_left(text, deadline_ns_, now_ns);
}

void OwnedAwaiter::finish(std::int32_t result) noexcept {
  result_ = result;
  StopCallback::detach();
  Timer::cancel();
  frame_->schedule();
}

void OwnedAwaiter::give_up(StatusCode reason) noexcept {
  given_up_ = reason;
  StopCallback::detach();
  Timer::cancel();
  std::exchange(operation_, nullptr)->abandon();
  frame_->schedule();
}

OwnedResult OwnedAwaiter::await_resume() {
  Buffer buffer;
  if (operation_ != nullptr) buffer = std::move(operation_->buffer);
  const std::string name(name_);
  if (given_up_ == StatusCode::kCancelled) {
    return {make_status(given_up_, name + ": the task was stopped"), std::move(buffer)};
  }
  if (given_up_ == StatusCode::kDeadlineExceeded) {
    return {make_status(given_up_, name + ": the deadline has passed"), std::move(buffer)};
  }
  if (result_ < 0) return {errno_status(-result_, name), std::move(buffer)};
  return {static_cast<std::size_t>(result_), std::move(buffer)};
}

}  // namespace wharf::runtime::detail
