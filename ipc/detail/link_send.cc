// The sending half of a Link: messages and answers on their way to the peer.
#include <memory>
#include <string>
#include <utility>

#include "wharf/ipc/detail/link.h"
#include "wharf/ipc/detail/link_watches.h"

namespace wharf::ipc::detail {
using Sent = Transport::Sent;

Sender::~Sender() = default;

Sent Link::transmit_at_once(Message& message, std::uint8_t flags, std::uint64_t stream, std::uint64_t& position) {
  if (ended() || fin_sent_ || turn_messages_left_ == 0 || !senders_.empty()) return Sent::kNoTurn;
  const std::size_t payload_bytes = message.size_bytes();
  const Sent outcome = transport_->send_at_once(message, flags, stream, position);
  if (outcome == Sent::kSent) {
    --turn_messages_left_;
    publish_early(payload_bytes);
  }
  return outcome;
}

bool Link::send_at_once(Message& message, Status& result, std::uint8_t flags, std::uint64_t stream) {
  std::uint64_t position = 0;
  if (send_plain(message, flags, stream, position)) return true;
  switch (transmit_at_once(message, flags, stream, position)) {
    case Sent::kSent: return true;
    case Sent::kRefused: result = transport_->status(); return true;
    case Sent::kBroken:
      broken();
      result = status_;
      return true;
    default: return false;
  }
}

bool Link::call_at_once(Caller& caller, Message& request) {
  if (fin_received_ || calls_.size() >= options_.call_count_max || request.fd_count() != 0) return false;
  const std::uint64_t stream = calls_.add(caller);
  std::uint64_t position = 0;
  if (!send_plain(request, shm::kFlagRequest, stream, position) &&
      transmit_at_once(request, shm::kFlagRequest, stream, position) != Sent::kSent) {
    calls_.remove(stream);
    return false;
  }
  caller.stream = stream;
  caller.request_sent(position);
  return true;
}

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
  sender.large = transport_->takes_turns(sender.outgoing);
  if (!sender.large && senders_.empty() && turn_messages_left_ != 0) {
    --turn_messages_left_;
    if (send_now(sender) == Step::kDone) return true;
  }
  const std::size_t waiting_count = senders_.count() + large_.count() + begun_.count();
  if (waiting_count >= options_.waiting_count_max && !sender.outgoing.begun && !sender.outgoing.admitted) {
    sender.result = absl::ResourceExhaustedError("send: waiting_count_max tasks wait already");
    return true;
  }
  ++counters_.waits;
  return false;
}

// kDone: sent, or refused for good. kWaits: for room, memory, the socket or a turn.
Link::Step Link::send_now(Sender& sender) {
  if (fin_sent_) {
    sender.result = absl::FailedPreconditionError("send: this side has closed its sending");
    return Step::kDone;
  }
  Caller* const caller = sender.caller;
  // One whose fragments are on their way is finished all the same: the peer could not tell the rest from the next message.
  if (caller != nullptr && fin_received_) {
    sender.result = no_reply_can_come();
    if (!sender.outgoing.begun) return Step::kDone;
  }
  // The end comes behind everything that was to be sent before it.
  if (sender.outgoing.kind == shm::RecordKind::kFin && !(large_.empty() && begun_.empty())) return Step::kWaits;
  if (caller != nullptr && caller->stream == 0) {
    sender.outgoing.stream = caller->stream = calls_.add(*caller);
    sender.outgoing.flags |= shm::kFlagRequest;
  }
  sender.outgoing.memory_is_others = !has_memory_turn(sender.memory_turn);
  const std::size_t payload_bytes = sender.outgoing.message.size_bytes();
  const Sent outcome = transport_->try_send(sender.outgoing);
  if (outcome != Sent::kNoMemory) sender.memory_turn = 0;
  switch (outcome) {
    case Sent::kSent:
      sender.sent = true;
      if (caller != nullptr) caller->request_sent(sender.outgoing.position);
      if (sender.outgoing.obligation) sender.outgoing.obligation.settle();
      if (sender.outgoing.kind == shm::RecordKind::kFin) fin_sent_ = true;
      publish_early(payload_bytes);
      return Step::kDone;
    case Sent::kProgress:
      if (sender.outgoing.begun) sender.hold();
      return Step::kProgress;
    case Sent::kNoTurn: return Step::kWaits;
    case Sent::kRefused: sender.result = std::move(sender.outgoing.refusal); return Step::kDone;
    case Sent::kBroken:
      broken();
      sender.result = status_;
      return Step::kDone;
    case Sent::kNoSocket:
      // The peer holds what has come, and waits for the rest.
      if (sender.outgoing.begun) sender.hold();
      if (writable_watch_ == nullptr) writable_watch_ = std::make_unique<WritableWatch>(*this);
      return Step::kWaits;
    case Sent::kNoSpace: send_wants_ |= shm::kWantSpace; return Step::kWaits;
    case Sent::kNoMemory:
      if (sender.memory_turn == 0) sender.memory_turn = ++memory_turns_;
      [[fallthrough]];
    case Sent::kNoSlots: send_wants_ |= shm::kWantMemory; return Step::kWaits;
  }
  return Step::kWaits;
}

void Link::note(const Note& note) noexcept {
  if (ended() || fin_sent_) return;
  notes_.push(Note(note));
  send_notes();
  if (!notes_.empty()) look_out();
}

void Link::send_notes() noexcept {
  while (!notes_.empty() && !ended()) {
    const Note& note = notes_.front();
    Outgoing outgoing{.kind = note.kind, .flags = note.flags, .stream = note.stream};
    outgoing.message = Message(note.type, std::string_view(note.text));
    Sent sent = transport_->try_send(outgoing);
    if (sent == Sent::kRefused) {  // there is no memory for its text, and nobody else who could say it
      outgoing.message = Message(note.type);
      sent = transport_->try_send(outgoing);
    }
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
    if (send_now(sender) != Step::kDone || ended()) return;
    sent(sender, senders_);
  }
}

// The wait of `sender` in `list` is over, or goes on as that for a reply.
void Link::sent(Sender& sender, coro::detail::WaitList& list) {
  if (!sender.sent || !sender.awaits_reply || fin_received_) return list.resume(sender);
  list.remove(sender);
  callers_.add(sender);
  sender.release();
}

// Begins large messages, and moves the next bytes of each that had begun before. True: something moved.
bool Link::send_large() {
  bool any = false;
  const std::size_t begun_count = begun_.count();
  // First, lest those that keep the socket full keep others from sharing it. One number is left for a message that is not
  // large, but has several fragments.
  while (!large_.empty() && begun_.count() < kAssemblyCountMax - 1 && !ended()) {
    if (send_large(*static_cast<Sender*>(large_.first()), large_) == Step::kWaits) break;
    any = true;
  }
  for (std::size_t count = begun_count; count != 0 && !ended(); --count) {
    if (send_large(*static_cast<Sender*>(begun_.first()), begun_) == Step::kWaits) break;
    any = true;
  }
  return any;
}

// The next bytes of `sender`, the first in `list`. With its share used up it goes to the end of those that have begun; so
// does one that has only begun.
Link::Step Link::send_large(Sender& sender, coro::detail::WaitList& list) {
  const Step step = send_now(sender);
  if (ended()) return Step::kDone;
  if (step == Step::kDone) {
    sent(sender, list);
    return step;
  }
  if (step == Step::kProgress || (sender.outgoing.begun && &list == &large_)) {
    list.remove(sender);
    begun_.add(sender);
  }
  return step;
}

}  // namespace wharf::ipc::detail
