// What the functions of a Port return, to be awaited once. What can be sent at once is on its way before that. They need no
// frame, and do not suspend when there is nothing to wait for. Each keeps alive what it waits for.
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

class [[nodiscard]] SendAwaiter final {
 public:
  // `starter`: what is sent begins a call of its, else null.
  SendAwaiter(shm::Ref<detail::Link> link, detail::Outgoing&& what, std::int64_t deadline_ns,
              detail::Caller* starter = nullptr)
      : link_(std::move(link)), deadline_ns_(deadline_ns) {
    sender_.emplace(std::move(what), starter);
  }
  // It is over: the message was sent at once, or refused.
  explicit SendAwaiter(Status result) noexcept : result_(std::move(result)) {}

  static constexpr const char* kWaitsFor = "Port::send";
  bool await_ready() { return !sender_.has_value() || link_->try_send(*sender_); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    link_->look_out();
    return sender_->suspend_until(handle, link_->senders(*sender_), deadline_ns_, site, *this);
  }
  Status await_resume() {
    if (!sender_.has_value()) return std::move(result_);
    if (sender_->sent || !sender_->result.ok()) return std::move(sender_->result);
    return link_->gave_up(*sender_, "send");
  }

 private:
  shm::Ref<detail::Link> link_;
  std::int64_t deadline_ns_ = 0;
  Status result_;
  std::optional<detail::Sender> sender_;  // none: it is over
};

// As an object that is named by a call, so that it may stand inside a co_await (GCC PR 99576).
inline SendAwaiter send_outgoing(shm::Ref<detail::Link> link, detail::Outgoing&& what, std::int64_t deadline_ns,
                                 detail::Caller* starter = nullptr) {
  return {std::move(link), std::move(what), deadline_ns, starter};
}

class [[nodiscard]] CallAwaiter final : private detail::Sender, private detail::Caller {
 public:
  CallAwaiter(shm::Ref<detail::Link> link, Message&& request, std::int64_t deadline_ns)
      : Sender(this), link_(std::move(link)), deadline_ns_(deadline_ns) {
    awaits_reply = true;
    sent = link_->call_at_once(*this, request);
    if (!sent) outgoing.message = std::move(request);
  }
  ~CallAwaiter() {
    if (stream == 0 || reply_.has_value()) return;
    link_->cancel_call(*this);
    link_->forget_call(*this);
  }

  static constexpr const char* kWaitsFor = "Port::call";
  bool await_ready() {
    if (sent) return over();
    return link_->try_send(*this) && (!sent || over());
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    link_->look_out();
    awaited_ = true;
    return suspend_until(handle, link_->senders(*this), deadline_ns_, site, *this);
  }
  StatusOr<Message> await_resume();

 private:
  // detail::Caller
  bool on_reply(Message&& message) override;
  void on_credit(std::uint32_t) noexcept override {}
  void on_failure(const Status& why) noexcept override;
  bool over() const noexcept { return reply_.has_value() || !result.ok(); }
  // It was awaited, and has been stopped or run out of time.
  bool gave_up() const noexcept { return awaited_ && !waiting(); }

  shm::Ref<detail::Link> link_;
  std::int64_t deadline_ns_;
  std::optional<Message> reply_;
  bool awaited_ = false;
};

class [[nodiscard]] ReceiveAwaiter final {
 public:
  explicit ReceiveAwaiter(shm::Ref<detail::Link> link) noexcept : link_(std::move(link)) {}

  static constexpr const char* kWaitsFor = "Port::receive";
  bool await_ready() {
    do {
      plain_ = link_->peek_plain(record_);
      if (plain_ || link_->try_receive(message_)) return true;
    } while (link_->linger());
    return false;
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    link_->look_out();
    return receiver_.emplace(message_).suspend_until(handle, link_->receivers(), 0, site, *this);
  }
  // The frequent kind is made where the caller keeps it, and never moved.
  std::optional<Message> await_resume() {
    std::optional<Message> result;
    if (plain_) {
      link_->take_plain(record_, result.emplace());
    } else if (message_.has_value()) {
      result.emplace(*std::move(message_));
    }
    return result;
  }

 private:
  shm::Ref<detail::Link> link_;
  bool plain_ = false;
  shm::RecordView record_;  // if it is plain
  std::optional<Message> message_;
  std::optional<detail::Receiver> receiver_;  // once it waits
};

class [[nodiscard]] LoanAwaiter final {
 public:
  LoanAwaiter(shm::Ref<detail::Link> link, std::size_t wanted_bytes, std::int64_t deadline_ns) noexcept
      : link_(std::move(link)), deadline_ns_(deadline_ns) {
    borrowing_.bytes = wanted_bytes;
  }

  static constexpr const char* kWaitsFor = "Port::loan";
  bool await_ready() { return link_->try_borrow(borrowing_); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    link_->look_out();
    return borrower_.emplace(borrowing_).suspend_until(handle, link_->borrowers(), deadline_ns_, site, *this);
  }
  StatusOr<Loan> await_resume();

 private:
  shm::Ref<detail::Link> link_;
  std::int64_t deadline_ns_;
  detail::Borrowing borrowing_;
  std::optional<detail::Borrower> borrower_;  // once it waits
};

}  // namespace wharf::ipc
