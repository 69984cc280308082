#include "wharf/ipc/call.h"

#include <utility>

#include "wharf/ipc/awaiters.h"
#include "wharf/ipc/detail/call_state.h"

namespace wharf::ipc {

Call::Call(shm::Ref<detail::CallState> state) noexcept : state_(std::move(state)) {}
Call::Call(Call&&) noexcept = default;
Call& Call::operator=(Call&&) noexcept = default;

Call::~Call() {
  if (state_) state_->cancel();
}

coro::Task<StatusOr<Message>> Call::next_reply() { return detail::CallState::next_reply(state_); }
coro::Task<Status> Call::send_part(Message part) { return detail::CallState::send(state_, std::move(part), false); }
coro::Task<Status> Call::send_last(Message part) { return detail::CallState::send(state_, std::move(part), true); }
CancelOutcome Call::cancel() noexcept { return state_->cancel(); }

namespace detail {

CallState::CallState(shm::Ref<Link> link, std::int64_t deadline_ns, bool more) noexcept
    : link_(std::move(link)),
      replies_(link_->options().stream_window),
      parts_(link_->peer_stream_window()),
      deadline_ns_(deadline_ns),
      parts_due_(more) {
  streams = true;
  if (deadline_ns != 0) set(deadline_ns);
}

CallState::~CallState() { link_->forget_call(*this); }

bool CallState::on_reply(Message&& reply) {
  const bool more = reply.has_more();
  if (!replies_.push(std::move(reply), more)) return false;
  if (!more) answered_ = true;
  changed();
  return true;
}

void CallState::on_credit(std::uint32_t part_count) noexcept {
  parts_.add(part_count);
  changed();
}

void CallState::on_failure(const Status& why) noexcept {
  if (why_.ok() && !answered_) why_ = why;
  changed();
}

void CallState::on_expired() noexcept {
  if (answered_) return;
  on_failure(absl::DeadlineExceededError("call: the deadline has passed"));
  cancel();
}

CancelOutcome CallState::cancel() noexcept {
  if (retracted_) return CancelOutcome::kRetracted;
  if (answered_ || cancelled_) return link_->ended() ? CancelOutcome::kUnknown : CancelOutcome::kTaken;
  const CancelOutcome outcome = link_->cancel_call(*this);
  cancelled_ = true;
  retracted_ = outcome == CancelOutcome::kRetracted;
  if (retracted_) on_failure(absl::CancelledError("call: the request was taken back"));
  return outcome;
}

coro::Task<StatusOr<Message>> CallState::next_reply(shm::Ref<CallState> state) {
  while (true) {
    CallState& call = *state;
    if (!call.replies_.empty()) {
      const bool more = call.replies_.front().has_more();
      Message reply = call.replies_.pop(more);
      if (!more) call.why_ = absl::OutOfRangeError("call: the last reply was taken already");
      if (std::uint32_t credit = call.replies_.take_credit(); credit != 0) {
        call.link_->give_credit(shm::kFlagRequest, call.stream, credit);
      }
      if (Status error = reply.as_error(); !error.ok()) co_return error;
      co_return reply;
    }
    if (!call.why_.ok()) co_return call.why_;
    call.link_->look_out();
    const bool goes_on = co_await call.change_.wait();
    if (!goes_on) co_return absl::CancelledError("call: the task was stopped");
  }
}

coro::Task<Status> CallState::send(shm::Ref<CallState> state, Message part, bool last) {
  CallState& call = *state;
  if (!call.parts_due_) {
    co_return absl::FailedPreconditionError("call: no further part is due: start the call with .more, and end it once");
  }
  while (call.why_.ok() && !call.answered_ && !call.parts_.may_send()) {
    call.link_->look_out();
    const bool goes_on = co_await call.change_.wait();
    if (!goes_on) co_return absl::CancelledError("call: the task was stopped");
  }
  if (!call.why_.ok()) co_return call.why_;
  if (call.answered_) co_return absl::AbortedError("call: the peer has answered, and takes no further part");
  call.parts_.sent();
  call.parts_due_ = !last;
  call.retractable = false;
  Outgoing outgoing{.message = std::move(part)};
  outgoing.flags = shm::kFlagRequest | shm::kFlagContinued;
  if (!last) outgoing.flags |= shm::kFlagMore;
  outgoing.stream = call.stream;
  Status sent = co_await send_outgoing(call.link_, std::move(outgoing), call.deadline_ns_);
  if (!sent.ok()) {  // then nothing was
    call.parts_.add(1);
    call.parts_due_ = true;
  }
  co_return sent;
}

}  // namespace detail
}  // namespace wharf::ipc
