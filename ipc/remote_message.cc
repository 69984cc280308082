#include "wharf/ipc/remote_message.h"

#include <utility>

#include "wharf/ipc/awaiters.h"
#include "wharf/ipc/detail/errand.h"
#include "wharf/ipc/detail/message_copy.h"

namespace wharf::ipc {

// Carries the message, and perhaps its answer, back to the reactor; there, or when that has gone, both are destroyed.
class RemoteMessage::Parcel final : private detail::Errand {
 public:
  explicit Parcel(Message original) : message(std::move(original)), gate_(runtime::Reactor::current().gate()) {}

  void post_home() noexcept {
    const std::shared_ptr<runtime::PostGate> gate = gate_;  // this may be gone before post() returns
    gate->post(*this);
  }
  void answer_with(Message answer) {
    answer_ = detail::MessageCopy(std::move(answer));
    answers_ = true;
  }
  void fail_with(const Status& error) { error_ = error; }

  Message message;

 private:
  ~Parcel() override = default;

  void run() noexcept override {
    if (!answers_ && error_.ok()) return drop();
    Errand::run();
  }
  coro::Task<void> carry_out() override {
    Status sent;
    if (answers_) {
      sent = co_await message.reply(answer_.to_message());
    } else {
      sent = co_await message.reply_error(error_);
    }
    static_cast<void>(sent);  // if it failed, the caller has Aborted
  }
  void done() noexcept override { delete this; }
  void drop() noexcept override { delete this; }

  const std::shared_ptr<runtime::PostGate> gate_;
  detail::MessageCopy answer_;
  bool answers_ = false;
  Status error_;
};

void RemoteMessage::SendHome::operator()(Parcel* parcel) const noexcept { parcel->post_home(); }

RemoteMessage::RemoteMessage(Message message) : parcel_(new Parcel(std::move(message))) {}

RemoteMessage Message::detach() && { return RemoteMessage(std::move(*this)); }

const Message& RemoteMessage::operator*() const noexcept { return parcel_->message; }

runtime::UniqueFd RemoteMessage::take_fd(std::size_t index) noexcept { return parcel_->message.take_fd(index); }

Status RemoteMessage::reply(Message answer) {
  if (!parcel_->message.is_request()) return absl::InvalidArgumentError("reply: no request, or answered already");
  parcel_->answer_with(std::move(answer));
  parcel_.reset();
  return absl::OkStatus();
}

Status RemoteMessage::reply_error(const Status& error) {
  if (!parcel_->message.is_request()) return absl::InvalidArgumentError("reply_error: no request, or answered already");
  if (error.ok()) return absl::InvalidArgumentError("reply_error: OK is no error");
  parcel_->fail_with(error);
  parcel_.reset();
  return absl::OkStatus();
}

}  // namespace wharf::ipc
