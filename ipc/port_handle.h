// PortHandle: a port as other threads see it: they send and call through it.
//
//     ipc::PortHandle handle = port.handle();                     // on the port's reactor; copies go anywhere
//     Status posted = handle.try_send(ipc::Message("news"));      // any thread; never blocks
//     Status sent = co_await handle.send(ipc::Message("more"));   // a task of another reactor
//     auto reply = co_await handle.call(ipc::Message("what?"));   // likewise; StatusOr<RemoteMessage>
//
// The message's bytes are copied once, on the calling thread; its descriptors go along. The port's reactor then sends it
// like any other, behind whoever waits there. What one thread sends through one port stays in order.
//
// Ownership: copies share the port's mailbox. A handle may outlive the port, and the port's reactor; everything then fails
//            with the port's status.
// Threads:   any. The awaited ones need a reactor on their own thread, and resume there.
// Cost:      lock-free: two allocations, and a post, which is a system call if the port's reactor sleeps.
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

#include "wharf/ipc/detail/exchange.h"
#include "wharf/ipc/message.h"
#include "wharf/ipc/options.h"
#include "wharf/ipc/remote_message.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

class [[nodiscard]] HandleSendAwaiter final : private detail::ExchangeWait {
 public:
  using ExchangeWait::ExchangeWait;
  static constexpr const char* kWaitsFor = "PortHandle::send";
  bool await_ready() const noexcept { return ready(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    return depart(handle, site, *this);
  }
  Status await_resume() { return take_result("send"); }
};

class [[nodiscard]] HandleCallAwaiter final : private detail::ExchangeWait {
 public:
  using ExchangeWait::ExchangeWait;
  static constexpr const char* kWaitsFor = "PortHandle::call";
  bool await_ready() const noexcept { return ready(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    return depart(handle, site, *this);
  }
  StatusOr<RemoteMessage> await_resume();
};

class PortHandle {
 public:
  explicit PortHandle(std::shared_ptr<detail::Mailbox> mailbox) noexcept : mailbox_(std::move(mailbox)) {}

  // Hands a message to the port's reactor. From any thread, with or without a reactor.
  //
  // Ownership: takes `message`; what it has borrowed is free again on return. Loans and blocks in it are copied: it must
  //            be the thread of their port that calls.
  // Errors:    InvalidArgument    over a limit
  //            ResourceExhausted  handle_queue_count_max messages of this port's handles have not been sent yet
  //            Unavailable        the port has ended, with its status
  //            In each case nothing was sent. OK: it is sent in its turn, unless the port ends before, or it does not
  //            fit the arena: PortCounters::handle_losses counts those.
  Status try_send(Message message) const;

  // Completes, on the task's own reactor, when the port has sent it.
  //
  // Errors:    as Port::send(), and as try_send().
  // Cancel:    honoured at once, as is the deadline: then it may have been sent or not.
  HandleSendAwaiter send(Message message, WaitOptions options = {}) const;

  // Sends a request and waits for its reply, which may be read and dropped on this thread, or any other.
  //
  // Errors:    as Port::call(), and as try_send().
  // Cancel:    as send(); a late reply is dropped.
  HandleCallAwaiter call(Message request, WaitOptions options = {}) const;

  // OK while the port lives; then why it ended.
  Status status() const { return mailbox_->status(); }

 private:
  std::shared_ptr<detail::Mailbox> mailbox_;
};

}  // namespace wharf::ipc
