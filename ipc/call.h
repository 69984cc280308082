// Call: a request that is under way, for what call() does not do: several replies, a request in parts, and taking it back.
//
//     StatusOr<ipc::Call> call = co_await port.start_call(ipc::Message(kList, "/var/log"));
//     bool more = call.ok();
//     while (more) {
//       StatusOr<ipc::Message> reply = co_await call->next_reply();
//       more = reply.ok() && reply->has_more();
//       ...
//     }
//
// Each side may be stream_window parts ahead of the other; then it waits. Other messages of the port go on meanwhile.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>

#include "wharf/coro/task.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/ref.h"

namespace wharf::ipc {

namespace detail {
class CallState;
}

// What became of a request whose caller wants it back.
enum class CancelOutcome {
  kRetracted,  // the peer will never see it; its memory is free again, and the call is over
  kTaken,      // the peer has it: next_reply() says how it ends; Cancelled if the peer dropped it after all
  kUnknown,    // the peer has died with it: it may have been served or not
};

// Ownership: giving a Call up before its last reply takes the request back, or tells the peer that nobody waits.
class Call {
 public:
  explicit Call(shm::Ref<detail::CallState> state) noexcept;
  Call(Call&&) noexcept;
  Call& operator=(Call&&) noexcept;
  ~Call();

  // The next reply. Its has_more() is false for the last.
  //
  // Errors: what the peer answered with reply_error(); Aborted if it dropped the request; Cancelled if it has seen that
  //         the request was taken back, or this task was stopped; DeadlineExceeded when the call's deadline has passed;
  //         Unavailable: the link has ended; OutOfRange: the last reply has been taken already
  // Cancel: honoured; no reply is lost.
  coro::Task<StatusOr<Message>> next_reply();

  // Sends a further part of the request, which was started with `.more`. Waits until the peer has room for it. One task
  // at a time. send_last() sends the last part.
  //
  // Errors: as Port::send(); FailedPrecondition: no part is due; Aborted: the peer has answered, or will not
  coro::Task<Status> send_part(Message part);
  coro::Task<Status> send_last(Message part);

  // Takes the request back, if the peer has not begun to look at it. Otherwise the peer learns that it is no longer
  // wanted: a peer that streams stops.
  CancelOutcome cancel() noexcept;

 private:
  shm::Ref<detail::CallState> state_;
};

}  // namespace wharf::ipc
