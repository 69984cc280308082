// The sending half of a Link: messages and answers on their way to the peer.
#include "wharf/ipc/detail/link.h"

#include <memory>
#include <string>
#include <utility>

#include "wharf/ipc/detail/link_watches.h"

namespace wharf::ipc::detail {
using Sent = Transport::Sent;

bool Link::try_send(Sender& sender) {
  if (ended()) {
    sender.result = status_;
    return true;
  }
  if (sender.outgoing.message.size_bytes() > message_bytes_max_) {
    sender.result = absl::InvalidArgumentError("send: the payload is larger than message_bytes_max allows");
    return true;
  }
  if (sender.is_call && calls_.size() >= options_.call_count_max) {
    sender.result = absl::ResourceExhaustedError("call: call_count_max calls are unanswered");
    return true;
  }
  if (senders_.empty() && turn_messages_left_ != 0) {
    --turn_messages_left_;
    if (send_now(sender)) return true;
  }
  if (senders_.count() >= options_.waiting_count_max && !sender.outgoing.begun) {
    sender.result = absl::ResourceExhaustedError("send: waiting_count_max tasks wait already");
    return true;
  }
  ++counters_.waits;
  return false;
}

// True: sent, or refused for good. False: it has to wait.
bool Link::send_now(Sender& sender) {
  if (fin_sent_) {
    sender.result = absl::FailedPreconditionError("send: this side has closed its sending");
    return true;
  }
  if (sender.is_call && fin_received_) {
    sender.result = no_reply_can_come();
    return true;
  }
  if (sender.is_call && sender.outgoing.stream == 0) {
    sender.outgoing.stream = calls_.add(sender);
    sender.outgoing.flags |= shm::kFlagRequest;
  }
  switch (transport_->try_send(sender.outgoing)) {
    case Sent::kSent:
      sender.sent = true;
      if (sender.outgoing.obligation) sender.outgoing.obligation.settle();
      if (sender.outgoing.kind == shm::RecordKind::kFin) fin_sent_ = true;
      publish_early();
      return true;
    case Sent::kRefused:
      sender.result = std::move(sender.outgoing.refusal);
      return true;
    case Sent::kBroken:
      broken();
      sender.result = status_;
      return true;
    case Sent::kNoSocket:
      // What has begun must be finished: the peer could not tell the rest from the next message.
      if (sender.outgoing.begun) sender.hold();
      if (writable_watch_ == nullptr) writable_watch_ = std::make_unique<WritableWatch>(*this);
      return false;
    case Sent::kNoSpace: send_wants_ |= shm::kWantSpace; return false;
    case Sent::kNoMemory: send_wants_ |= shm::kWantMemory; return false;
  }
  return false;
}

void Link::answer_dropped(std::uint64_t stream) noexcept {
  --open_requests_;
  if (ended() || fin_sent_) return;
  dropped_.push_back(stream);  // reserved when the request came
  send_dropped_answers();
  if (!dropped_.empty()) look_out();
}

void Link::send_dropped_answers() noexcept {
  while (!dropped_.empty() && !ended()) {
    Outgoing answer;
    answer.message = Message(static_cast<std::uint32_t>(StatusCode::kAborted), "the request was dropped unanswered");
    answer.flags = shm::kFlagReply | shm::kFlagError;
    answer.stream = dropped_.back();
    // A sender whose fragments are on their way goes first.
    if (!senders_.empty() && static_cast<Sender*>(senders_.first())->outgoing.begun) return;
    const Sent sent = transport_->try_send(answer);
    if (sent == Sent::kBroken) return broken();
    if (sent == Sent::kNoSpace) send_wants_ |= shm::kWantSpace;
    if (sent == Sent::kNoMemory) send_wants_ |= shm::kWantMemory;
    if (sent == Sent::kNoSocket && writable_watch_ == nullptr) {
      writable_watch_ = std::make_unique<WritableWatch>(*this);
    }
    if (sent != Sent::kSent && sent != Sent::kRefused) return;
    dropped_.pop_back();
    publish_early();
  }
}

void Link::send_waiting() {
  while (!senders_.empty() && !ended() && turn_messages_left_ != 0) {
    auto& sender = *static_cast<Sender*>(senders_.first());
    --turn_messages_left_;
    if (!send_now(sender) || ended()) return;
    if (sender.sent && sender.is_call) {
      senders_.remove(sender);
      callers_.add(sender);
      sender.release();
    } else {
      senders_.resume(sender);
    }
  }
  if (senders_.empty() && dropped_.empty()) writable_watch_.reset();
}

}  // namespace wharf::ipc::detail
