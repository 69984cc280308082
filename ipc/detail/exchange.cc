#include "wharf/ipc/detail/exchange.h"

namespace wharf::ipc::detail {

Exchange::Exchange(std::shared_ptr<Mailbox> mailbox, Kind kind, Message message, std::int64_t deadline_ns)
    : mailbox_(std::move(mailbox)), kind_(kind), deadline_ns_(deadline_ns), message_(std::move(message)) {}

void Exchange::release() noexcept {
  if (holder_count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

// ---- The task's thread ----

void Exchange::depart(ExchangeWait& waiter) noexcept {
  waiter_ = &waiter;
  home_ = runtime::Reactor::current().gate();
  holder_count_.fetch_add(1, std::memory_order_relaxed);
  mailbox_->post(*this);
}

void Exchange::give_up() noexcept {
  const bool away = std::exchange(waiter_, nullptr) != nullptr;
  if (!away) return release();
  // The hold passes to the recall, which comes to the port after the exchange itself.
  const std::shared_ptr<Mailbox> mailbox = mailbox_;
  mailbox->post(recall_);
}

void Exchange::arrive() noexcept {
  ExchangeWait* waiter = std::exchange(waiter_, nullptr);
  std::optional<RemoteMessage> reply = std::exchange(reply_, std::nullopt);
  if (waiter != nullptr) waiter->arrive(std::move(result_), std::move(reply));
  release();
}

void Exchange::vanish() noexcept {
  reply_.reset();
  release();
}

// ---- The port's thread ----

SendAwaiter Exchange::send(const shm::Ref<Link>& link) {
  return {link, {.message = message_.to_message()}, deadline_ns_};
}

CallAwaiter Exchange::call(const shm::Ref<Link>& link) { return {link, message_.to_message(), deadline_ns_}; }

coro::Task<void> Exchange::carry_out() {
  shm::Ref<Link> link = mailbox_->link();
  if (!link) {
    result_ = mailbox_->status();
  } else if (stopped()) {
    result_ = absl::CancelledError("handle: recalled before it was sent");
  } else if (kind_ == Kind::kSend) {
    result_ = co_await send(link);
  } else {
    StatusOr<Message> reply = co_await call(link);
    result_ = reply.status();
    if (reply.ok()) reply_.emplace(std::move(reply).value());
  }
}

void Exchange::go_home() noexcept {
  const std::shared_ptr<runtime::PostGate> home = home_;  // the exchange may be gone before post() returns
  home->post(homecoming_);
}

// The port's reactor has died with the exchange in its queue; its port had ended.
void Exchange::drop() noexcept {
  result_ = mailbox_->status();
  if (result_.ok()) result_ = absl::UnavailableError("handle: the port's reactor has gone");
  go_home();
}

// ---- The task ----

void ExchangeWait::arrive(Status result, std::optional<RemoteMessage> reply) noexcept {
  exchange_->give_up();
  exchange_ = nullptr;
  result_ = std::move(result);
  reply_ = std::move(reply);
  if (waiting()) list.resume_first();
}

Status ExchangeWait::take_result(const char* operation) {
  if (exchange_ == nullptr) return std::move(result_);
  std::exchange(exchange_, nullptr)->give_up();
  return interruption(operation);
}

}  // namespace wharf::ipc::detail
