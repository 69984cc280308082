// Mailbox: what the handles of one port share. It counts what they have posted, and knows when the port has ended, and
// why. Letter: one message that was posted and that nobody waits for.
//
// A letter, once admitted, is sent; it fails only with the port, or if it can never be sent.
//
// Threads: any, except as said.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "wharf/ipc/awaiters.h"
#include "wharf/ipc/detail/errand.h"
#include "wharf/ipc/detail/message_copy.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/post_gate.h"

namespace wharf::ipc::detail {

class Mailbox {
 public:
  Mailbox(Link& link, runtime::Reactor& reactor, std::size_t message_bytes_max, std::size_t queue_count_max) noexcept
      : gate_(reactor.gate()), message_bytes_max_(message_bytes_max), queue_count_max_(queue_count_max), link_(&link) {}

  // Takes a place in the queue for `message`; forgo() gives it back.
  Status admit(const Message& message) noexcept;
  void forgo() noexcept { queued_count_.fetch_sub(1, std::memory_order_relaxed); }
  void post(runtime::Posted& work) noexcept { gate_->post(work); }
  // OK while the port lives.
  Status status() const { return ended_.load(std::memory_order_acquire) ? why_ : Status(); }

  // The port's reactor: the port has ended; what it links to; null once it has.
  void end(const Status& why) noexcept;
  shm::Ref<Link> link() const noexcept { return shm::Ref<Link>(link_); }

 private:
  const std::shared_ptr<runtime::PostGate> gate_;
  const std::size_t message_bytes_max_;
  const std::size_t queue_count_max_;
  std::atomic<std::size_t> queued_count_{0};
  std::atomic<bool> ended_{false};
  Status why_;  // published by ended_
  Link* link_;
};

class Letter final : private Errand {
 public:
  // Posts `message`, which was admitted.
  static void post(std::shared_ptr<Mailbox> mailbox, Message message);

 private:
  Letter(std::shared_ptr<Mailbox> mailbox, Message message)
      : mailbox_(std::move(mailbox)), message_(std::move(message)) {}
  ~Letter() override { mailbox_->forgo(); }

  coro::Task<void> carry_out() override;
  SendAwaiter send(const shm::Ref<Link>& link);
  void done() noexcept override { delete this; }
  void drop() noexcept override { delete this; }

  const std::shared_ptr<Mailbox> mailbox_;
  MessageCopy message_;
};

}  // namespace wharf::ipc::detail
