// What the functions of a Port return, to be awaited at once. They need no frame, and do not suspend when there is
// nothing to wait for. Each keeps alive what it waits for.
//
// Threads: the port's reactor.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "wharf/ipc/detail/link.h"
#include "wharf/ipc/message.h"

namespace wharf::ipc {

class [[nodiscard]] SendAwaiter final : private detail::Sender {
 public:
  SendAwaiter(shm::Ref<detail::Link> link, detail::Outgoing what, std::int64_t deadline_ns)
      : link_(std::move(link)), deadline_ns_(deadline_ns) {
    outgoing = std::move(what);
  }
  // Has failed before it began.
  explicit SendAwaiter(Status refusal) { result = std::move(refusal); }

  bool await_ready() { return !link_ || link_->try_send(*this); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    link_->look_out();
    return suspend_until(handle, link_->senders(), deadline_ns_);
  }
  Status await_resume() { return sent || !result.ok() ? std::move(result) : link_->gave_up(*this, "send"); }

 private:
  shm::Ref<detail::Link> link_;
  std::int64_t deadline_ns_ = 0;
};

class [[nodiscard]] CallAwaiter final : private detail::Sender {
 public:
  CallAwaiter(shm::Ref<detail::Link> link, Message request, std::int64_t deadline_ns)
      : link_(std::move(link)), deadline_ns_(deadline_ns) {
    outgoing.message = std::move(request);
    is_call = true;
  }
  ~CallAwaiter() { link_->forget_call(*this); }

  bool await_ready() { return link_->try_send(*this) && !sent; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    link_->look_out();
    return suspend_until(handle, sent ? link_->callers() : link_->senders(), deadline_ns_);
  }
  StatusOr<Message> await_resume();

 private:
  shm::Ref<detail::Link> link_;
  std::int64_t deadline_ns_;
};

class [[nodiscard]] ReceiveAwaiter final : private detail::Receiver {
 public:
  explicit ReceiveAwaiter(shm::Ref<detail::Link> link) noexcept : link_(std::move(link)) {}

  bool await_ready() { return link_->try_receive(*this); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    link_->look_out();
    return suspend_until(handle, link_->receivers(), 0);
  }
  std::optional<Message> await_resume() { return std::move(message); }

 private:
  shm::Ref<detail::Link> link_;
};

class [[nodiscard]] LoanAwaiter final : private detail::Borrower {
 public:
  LoanAwaiter(shm::Ref<detail::Link> link, std::size_t wanted_bytes, std::int64_t deadline_ns) noexcept
      : link_(std::move(link)), deadline_ns_(deadline_ns) {
    bytes = wanted_bytes;
  }

  bool await_ready() { return link_->try_borrow(*this); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    link_->look_out();
    return suspend_until(handle, link_->borrowers(), deadline_ns_);
  }
  StatusOr<Loan> await_resume();

 private:
  shm::Ref<detail::Link> link_;
  std::int64_t deadline_ns_;
};

}  // namespace wharf::ipc
