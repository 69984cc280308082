#include "wharf/ipc/detail/mailbox.h"

#include <string>
#include <utility>

namespace wharf::ipc::detail {

Status Mailbox::admit(const Message& message) noexcept {
  if (Status ended = status(); !ended.ok()) return ended;
  if (message.size_bytes() > message_bytes_max_) {
    return absl::InvalidArgumentError("handle: the payload is larger than message_bytes_max allows");
  }
  if (message.fd_count() > shm::kFdCountMax) {
    return absl::InvalidArgumentError("handle: a message carries at most 16 descriptors");
  }
  if (queued_count_.fetch_add(1, std::memory_order_relaxed) < queue_count_max_) return absl::OkStatus();
  forgo();
  return absl::ResourceExhaustedError(
      "handle: handle_queue_count_max messages wait already: slow down, or send() and wait");
}

void Mailbox::end(const Status& why) noexcept {
  link_ = nullptr;
  why_ = why;
  ended_.store(true, std::memory_order_release);
}

const std::shared_ptr<Mailbox>& Link::mailbox() {
  if (mailbox_ != nullptr) return mailbox_;
  mailbox_ = std::make_shared<Mailbox>(*this, reactor_, message_bytes_max_, options_.handle_queue_count_max);
  if (ended()) mailbox_->end(status_);
  return mailbox_;
}

void Letter::post(std::shared_ptr<Mailbox> mailbox, Message message) {
  Mailbox& to = *mailbox;
  to.post(*new Letter(std::move(mailbox), std::move(message)));
}

SendAwaiter Letter::send(const shm::Ref<Link>& link) {
  return {link, {.message = message_.to_message(), .admitted = true}, 0};
}

coro::Task<void> Letter::carry_out() {
  shm::Ref<Link> link = mailbox_->link();
  if (!link) co_return;
  Status sent = co_await send(link);
  link->letter_delivered(sent.ok());
}

}  // namespace wharf::ipc::detail
