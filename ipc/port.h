// Port: one end of a link between two processes, through which messages and file descriptors pass in order.
//
//     coro::Task<void> serve(ipc::Port& port) {
//       while (auto request = co_await port.receive()) {           // nullopt: the peer has closed, or died
//         Status sent = co_await request->reply(ipc::Message("ahoy"));
//       }
//     }
//
// Messages go through shared memory where both sides have it, and through the socket otherwise; file descriptors always
// take the socket, and arrive with their message. Messages arrive in the order in which they were sent; but a large one,
// with more than turn_bytes_max bytes to copy, shares the reactor with the others, and takes its place when its last byte
// is out: small ones overtake it.
//
// When the peer has died, every send, call and loan that waits fails with the same status, and so does every later one;
// receive() gives what the peer had published, then nullopt.
//
// A child of fork() has no part in the port: its descriptors are closed there, so that the peer sees this process's end though
// the child lives on. The port's memory is mapped there still, and must not be used: neither the port nor what came of it.
// An end that is not open yet is any descriptor: the child has it, too.
//
// Threads: the reactor that it was opened on. Others send through a handle() of it, and read what was detach()ed for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "wharf/coro/event.h"
#include "wharf/coro/task.h"
#include "wharf/ipc/awaiters.h"
#include "wharf/ipc/call.h"
#include "wharf/ipc/counters.h"
#include "wharf/ipc/message.h"
#include "wharf/ipc/options.h"
#include "wharf/ipc/port_end.h"
#include "wharf/ipc/port_handle.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

struct CallOptions {
  std::int64_t deadline_ns = 0;  // of the whole call, on the reactor's clock; 0: none. Travels as that of call()
  bool more = false;             // the request has further parts
};

class Port {
 public:
  // Opens a port on one end of a link. Both ends must be opened, by any two tasks or processes; each waits for the other.
  //
  // Errors:    InvalidArgument     the end is no Unix SEQPACKET socket, or an option is out of range
  //            FailedPrecondition  the peer is another version of wharf, or no wharf program
  //            DeadlineExceeded    the peer did not answer within handshake_timeout_ms
  //            Unavailable         the peer closed its end
  //            ResourceExhausted   no memory or descriptor left
  // Cancel:    honoured; the socket is closed.
  static coro::Task<StatusOr<std::unique_ptr<Port>>> open(PortEnd end, PortOptions options = {});

  // The two ends of a new link. Close-on-exec: see runtime/process.h for how to give one to a child.
  static StatusOr<std::pair<PortEnd, PortEnd>> end_pair();

  explicit Port(shm::Ref<detail::Link> link) noexcept : link_(std::move(link)) {}
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  // Closes the port: the peer receives what was sent, then learns of the end. Requests that were received and not
  // answered fail at the peer.
  ~Port() { link_->close(); }

  // Sends one message: tries to when it is called, and when it is awaited waits as long as it has to. Completes when the
  // peer's ring or kernel holds all of it, not when the peer has read it.
  //
  // Units:     payload 0..message_bytes_max bytes, in at most 256 blocks; at most 16 fds, among them one for each part
  //            that is a file, is too large for half of the arena, or finds the arena full of loans of this side.
  // Ownership: takes `message`: loans go to the peer, fds are closed here on every path, borrowed bytes must live until
  //            the co_await is over.
  // Errors:    InvalidArgument     over a limit; nothing was sent
  //            ResourceExhausted   the payload does not fit the arena, too many descriptors are on their way, or too
  //                                many tasks wait; nothing was sent
  //            DeadlineExceeded    nothing was sent; the port stays usable
  //            Cancelled           likewise
  //            FailedPrecondition  after close_send()
  //            Unavailable         the peer has gone; every later call says the same
  // Cancel:    honoured until the peer has a part of it: through shared memory until all is copied, over the socket
  //            until the first fragment is out; after that the result is that of the send.
  // Cost:      no allocation; no system call unless the peer sleeps, or fds go along.
  SendAwaiter send(Message message, WaitOptions options = {}) {
    if (Status result; link_->send_at_once(message, result)) return SendAwaiter(std::move(result));
    return {link_, {.message = std::move(message)}, options.deadline_ns};
  }

  // Sends a request and waits for its reply. Its deadline travels with the message: the earliest of `options`, or else the
  // message's own, and the time that this task was given (runtime/timeout.h).
  //
  // Errors:    as send(); and what the peer answered with reply_error(); Aborted if it dropped the request. After a
  //            deadline or a stop the request is taken back if the peer has not looked at it; otherwise it may be served
  //            or not, and a late reply is dropped. FailedPrecondition if the reply has several parts.
  CallAwaiter call(Message request, WaitOptions options = {}) {
    if (options.deadline_ns != 0) request.set_deadline_ns(options.deadline_ns);
    request.set_deadline_ns(link_->call_deadline_ns(request.deadline_ns()));
    return {link_, std::move(request), options.deadline_ns};
  }

  // Sends a request, and gives the call that is then under way: for several replies, requests in parts, and cancel().
  //
  // Errors: as send()
  // Cancel: as send()
  coro::Task<StatusOr<Call>> start_call(Message request, CallOptions options = {});

  // The next message that is no reply; nullopt once the peer has closed, this side has, or the link has failed: see
  // status(). Several tasks may wait; each message goes to one.
  //
  // Cancel:    honoured: nullopt, and no message is lost.
  // Cost:      no allocation; no system call unless there is nothing to receive, or fds come along.
  ReceiveAwaiter receive() { return ReceiveAwaiter(link_); }

  // Shared memory for a payload of `bytes`, to be written in place. Waits until there is some, in turn with sends that
  // copy into the arena. A task that keeps loans meanwhile may wait for itself: it should have a deadline.
  //
  // Errors:    ResourceExhausted   larger than the arena may become, or the kernel has no memory for it
  //            FailedPrecondition  the port has no shared memory
  //            DeadlineExceeded, Cancelled, Unavailable  as send()
  LoanAwaiter loan(std::size_t bytes, WaitOptions options = {}) { return {link_, bytes, options.deadline_ns}; }

  // Closes this side's sending: the peer receives what was sent, then nullopt. Receiving goes on.
  SendAwaiter close_send() { return {link_, {.kind = shm::RecordKind::kFin}, 0}; }
  // Closes both ways, at once. Whoever waits at this port fails with Unavailable.
  void close() noexcept { link_->close(); }

  // The port as other threads see it: see port_handle.h. The handle may be copied, and go anywhere.
  PortHandle handle() { return PortHandle(link_->mailbox()); }

  // `co_await port.closed()`: until the port has ended, from either side. False: the task was stopped.
  coro::Event::Awaiter closed() noexcept { return link_->ended_event().wait(); }

  // OK while the port lives; then why it ended.
  const Status& status() const noexcept { return link_->status(); }
  // Whether messages go through shared memory.
  bool uses_shared_memory() const noexcept { return link_->uses_shared_memory(); }
  PortCounters counters() const noexcept { return link_->counters(); }

 private:
  shm::Ref<detail::Link> link_;
};

}  // namespace wharf::ipc
