// The receiving half of a Link: what the peer sent, to whoever waits for it.
#include "wharf/ipc/detail/link.h"

#include <utility>

namespace wharf::ipc::detail {
using Got = Transport::Got;

bool Link::try_receive(Receiver& receiver) {
  if (!parked_.empty()) {
    receiver.message.emplace(parked_.pop());
    return true;
  }
  if (ended() || fin_received_) return true;
  if (!receivers_.empty()) return false;
  while (turn_messages_left_ != 0) {
    Message message;
    const Got got = take(message);
    if (got == Got::kEmpty) return false;
    if (got != Got::kMessage) return ended() || fin_received_;
    if ((message.flags_ & shm::kFlagReply) == 0) {
      receiver.message.emplace(std::move(message));
      return true;
    }
    handle_reply(std::move(message));
  }
  return false;
}

// Takes the next message, and handles what is none. On kFin, kEnd and kBroken the link knows already.
Got Link::take(Message& message) {
  if (!lane_ && !socket_readable_) return Got::kEmpty;
  const Got got = transport_->try_receive(message);
  switch (got) {
    case Got::kMessage:
      if (turn_messages_left_ != 0) --turn_messages_left_;
      if ((message.flags_ & shm::kFlagRequest) != 0) {
        if (dropped_.capacity() <= ++open_requests_) dropped_.reserve(2 * open_requests_ + 16);
        message.obligation_ = Obligation(shm::Ref<Link>(this), message.stream_);
      }
      publish_early();
      break;
    case Got::kEmpty: socket_readable_ = false; break;
    case Got::kBusy: turn_messages_left_ = 0; break;
    case Got::kFin:
      fin_received_ = true;
      receivers_.resume_all();
      resume_with(callers_, no_reply_can_come());
      break;
    case Got::kEnd: peer_gone_ = true; break;
    case Got::kBroken: end(transport_->status()); break;
  }
  return got;
}

void Link::handle_reply(Message message) {
  Sender* caller = calls_.find(message.stream_);
  if (caller == nullptr || !caller->waiting() || !caller->sent) return;  // it has given up
  calls_.remove(message.stream_);
  caller->reply.emplace(std::move(message));
  callers_.resume(*caller);
}

bool Link::wants_messages() const noexcept {
  if (!receivers_.empty()) return true;
  return !callers_.empty() && parked_.size() < options_.parked_count_max;
}

bool Link::receive_waiting() {
  bool any = false;
  while (wants_messages() && turn_messages_left_ != 0 && !ended()) {
    Message message;
    if (take(message) != Got::kMessage) break;
    any = true;
    dispatch(std::move(message));
  }
  return any;
}

void Link::dispatch(Message message) {
  if ((message.flags_ & shm::kFlagReply) != 0) return handle_reply(std::move(message));
  if (receivers_.empty()) {
    parked_.push(std::move(message));
    return;
  }
  static_cast<Receiver*>(receivers_.first())->message.emplace(std::move(message));
  receivers_.resume_first();
}

// The socket has ended: what the peer published before is still there, and is delivered.
void Link::drain_and_end() {
  while (!ended()) {
    Message message;
    turn_messages_left_ = options_.turn_message_count_max;
    socket_readable_ = true;
    const Got got = take(message);
    if (got == Got::kMessage) dispatch(std::move(message));
    if (got == Got::kEmpty || got == Got::kEnd) break;
  }
  // Its last words may be a lie: that is then the reason.
  if (lane_ && !ended()) collect_returned();
  if (lane_ && !ended()) check_returned();
  end(fin_received_ ? absl::UnavailableError("the peer has closed the port")
                    : absl::UnavailableError("the peer has gone without closing the port: it died, or was killed"));
}

}  // namespace wharf::ipc::detail
