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
  if (sender.caller != nullptr) {
    sender.result = check_call_count();
    if (!sender.result.ok()) return true;
  }
  if (senders_.empty() && turn_messages_left_ != 0) {
    --turn_messages_left_;
    if (send_now(sender)) return true;
  }
  if (senders_.count() >= options_.waiting_count_max && !sender.outgoing.begun && !sender.outgoing.admitted) {
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
  Caller* const caller = sender.caller;
  // One whose fragments are on their way is finished all the same: the peer could not tell the rest from the next message.
  if (caller != nullptr && fin_received_) {
    sender.result = no_reply_can_come();
    if (!sender.outgoing.begun) return true;
  }
  if (caller != nullptr && caller->stream == 0) {
    sender.outgoing.stream = caller->stream = calls_.add(*caller);
    sender.outgoing.flags |= shm::kFlagRequest;
  }
  sender.outgoing.memory_is_others = !has_memory_turn(sender);
  const Sent outcome = transport_->try_send(sender.outgoing);
  if (outcome != Sent::kNoMemory) sender.memory_turn = 0;
  switch (outcome) {
    case Sent::kSent:
      sender.sent = true;
      if (caller != nullptr) caller->request_sent(sender.outgoing.position);
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
      // What has begun must be finished.
      if (sender.outgoing.begun) sender.hold();
      if (writable_watch_ == nullptr) writable_watch_ = std::make_unique<WritableWatch>(*this);
      return false;
    case Sent::kNoSpace: send_wants_ |= shm::kWantSpace; return false;
    case Sent::kNoMemory:
      if (sender.memory_turn == 0) sender.memory_turn = ++memory_turns_;
      [[fallthrough]];
    case Sent::kNoSlots: send_wants_ |= shm::kWantMemory; return false;
  }
  return false;
}

void Link::note(const Note& note) noexcept {
  if (ended() || fin_sent_) return;
  notes_.push(Note(note));
  send_notes();
  if (!notes_.empty()) look_out();
}

void Link::send_notes() noexcept {
  while (!notes_.empty() && !ended()) {
    // A sender whose fragments are on their way goes first.
    if (!senders_.empty() && static_cast<Sender*>(senders_.first())->outgoing.begun) return;
    const Note& note = notes_.front();
    Outgoing outgoing{.kind = note.kind, .flags = note.flags, .stream = note.stream};
    outgoing.message = Message(note.type, std::string_view(note.text));
    const Sent sent = transport_->try_send(outgoing);
    if (sent == Sent::kBroken) return broken();
    if (sent == Sent::kNoSpace) send_wants_ |= shm::kWantSpace;
    if (sent == Sent::kNoMemory || sent == Sent::kNoSlots) send_wants_ |= shm::kWantMemory;
    if (sent == Sent::kNoSocket && writable_watch_ == nullptr) {
      writable_watch_ = std::make_unique<WritableWatch>(*this);
    }
    if (sent != Sent::kSent && sent != Sent::kRefused) return;
    notes_.pop();
    publish_early();
  }
}

void Link::send_waiting() {
  while (!senders_.empty() && !ended() && turn_messages_left_ != 0) {
    auto& sender = *static_cast<Sender*>(senders_.first());
    --turn_messages_left_;
    if (!send_now(sender) || ended()) return;
    if (sender.sent && sender.awaits_reply && !fin_received_) {
      senders_.remove(sender);
      callers_.add(sender);
      sender.release();
    } else {
      senders_.resume(sender);
    }
  }
  if (senders_.empty() && notes_.empty()) writable_watch_.reset();
}

}  // namespace wharf::ipc::detail
