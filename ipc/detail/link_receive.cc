// The receiving half of a Link: what the peer sent, to whoever waits for it.
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "wharf/ipc/detail/link.h"
#include "wharf/ipc/detail/link_watches.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::ipc::detail {
using Got = Transport::Got;

namespace {

// So many bytes of payload count as another message: about as long to read as one is to receive.
constexpr std::size_t kTurnBytesPerMessage = 16 * 1024;
// Of what the link says by itself, that may wait for room; or twice call_count_max, if that is more. A peer that reads has
// no more unanswered calls than that.
constexpr std::size_t kNoteCountMax = 131'072;

}  // namespace

bool Link::try_receive(std::optional<Message>& message) {
  if (!parked_.empty()) {
    if (!receivers_.empty() || turn_messages_left_ == 0) return false;
    use_turn(message.emplace(parked_.pop()).size_bytes());
    return true;
  }
  if (ended() || fin_received_) return true;
  if (!receivers_.empty() || turn_messages_left_ == 0 || !readable()) return false;
  if (take(message.emplace()) == Got::kMessage) return true;
  message.reset();
  return ended() || fin_received_;
}

// Whether take() may find something: a look, before a message is made to hold it.
bool Link::readable() const noexcept { return lane_ ? lane_->reader().readable() : socket_readable_; }

// What a message of so many bytes takes of the turn, in messages: to read it takes its receiver a while, and its memory
// goes home meanwhile.
void Link::use_turn(std::size_t payload_bytes) noexcept {
  const std::size_t count = 1 + payload_bytes / kTurnBytesPerMessage;
  turn_messages_left_ -= static_cast<std::uint32_t>(std::min<std::size_t>(count, turn_messages_left_));
}

// Takes the next message for receive(), and handles what is none. On kFin, kEnd and kBroken the link knows already.
Got Link::take(Message& message) {
  if (!lane_ && !socket_readable_) return Got::kEmpty;
  while (true) {
    if (notes_.size() > std::max(kNoteCountMax, 2 * options_.call_count_max)) {
      end(absl::ResourceExhaustedError("the peer sends requests and does not read the answers"));
      return Got::kBroken;
    }
    const Got got = transport_->try_receive(message);
    switch (got) {
      case Got::kMessage:
      case Got::kRetracted:
      case Got::kCredit:
      case Got::kCancel:
      case Got::kMemory:  // takes as long as a message with a descriptor
        use_turn(message.size_bytes());
        if (!peer_gone_) publish_early();
        if (accept(got, message)) return Got::kMessage;
        if (ended()) return Got::kBroken;
        if (turn_messages_left_ == 0) return Got::kBusy;
        message.clear();
        continue;
      case Got::kEmpty:
        if (!lane_) socket_readable_ = false;  // beside a lane there may be wakes: take_wakes()
        break;
      case Got::kBusy: turn_messages_left_ = 0; break;
      case Got::kFin:
        fin_received_ = true;
        serve_receivers();
        fail_calls(no_reply_can_come());
        break;
      case Got::kEnd: peer_gone_ = true; break;
      case Got::kBroken: end(transport_->status()); break;
    }
    if (transport_->has_unfinished() && !stall_timer_->is_set() && !ended()) stall_timer_->wind();
    return got;
  }
}

void Link::check_progress() noexcept {
  if (!transport_->has_unfinished()) return;
  if (!transport_->check_progress(!socket_readable_)) return end(transport_->status());
  stall_timer_->wind();
}

// True if `message` is for receive().
bool Link::accept(Got got, Message& message) {
  switch (got) {
    case Got::kRetracted:
      answer(message.stream_, StatusCode::kCancelled, "call: the request was taken back", shm::kFlagRetracted);
      return false;
    case Got::kCredit:
    case Got::kCancel: accept_note(got, message); return false;
    case Got::kMemory: return false;
    default: break;
  }
  if ((message.flags_ & shm::kFlagReply) != 0) {
    accept_reply(message);
    return false;
  }
  if ((message.flags_ & shm::kFlagContinued) != 0) {
    accept_part(std::move(message));
    return false;
  }
  return (message.flags_ & shm::kFlagRequest) == 0 || accept_request(message);
}

bool Link::wants_messages() const noexcept {
  if (!receivers_.empty()) return true;
  // What stands before the reply, or the part, that somebody waits for is parked.
  return (calls_.size() != 0 || !servings_.empty()) && parked_.size() < options_.parked_count_max;
}

// Whoever waits while something is parked waits for the turn after the one that was over. Whoever waits when nothing more
// can come has waited for the end.
void Link::serve_receivers() noexcept {
  while (!parked_.empty() && !receivers_.empty() && turn_messages_left_ != 0) {
    auto& receiver = *static_cast<Receiver*>(receivers_.first());
    use_turn(receiver.message.emplace(parked_.pop()).size_bytes());
    receivers_.resume(receiver);
  }
  if (parked_.empty() && (ended() || fin_received_)) receivers_.resume_all();
}

bool Link::receive_waiting() {
  bool any = false;
  if (!parked_.empty() && !receivers_.empty()) {
    serve_receivers();
    any = true;
  }
  while (wants_messages() && turn_messages_left_ != 0 && !ended() && readable()) {
    const std::uint32_t left = turn_messages_left_;
    Got got = Got::kEmpty;
    if (receivers_.empty()) {
      Message message;
      got = take(message);
      if (got == Got::kMessage) parked_.push(std::move(message));
    } else {
      auto& receiver = *static_cast<Receiver*>(receivers_.first());
      got = take(receiver.message.emplace());
      if (got == Got::kMessage) {
        receivers_.resume(receiver);
      } else {
        receiver.message.reset();
      }
    }
    any |= turn_messages_left_ != left;
    if (got != Got::kMessage) break;
  }
  return any;
}

// The socket has ended: what the peer published before is still there, and is delivered, in as many turns as that takes.
void Link::drain_and_end() {
  // A peer that has closed its socket one way alone could go on writing for ever: from here on no cell is given back,
  // and the socket takes no more.
  peer_gone_ = true;
  runtime::sys::shutdown(socket_->fd(), SHUT_RD);  // what has come stays
  while (!ended()) {
    Message message;
    turn_messages_left_ = options_.turn_message_count_max;
    socket_readable_ = true;
    const Got got = take(message);  // T3
    if (got == Got::kMessage) parked_.push(std::move(message));
    if (got == Got::kEmpty || got == Got::kEnd) break;
  }
  turn_messages_left_ = options_.turn_message_count_max;
  // Its last words may be a lie: that is then the reason.
  if (lane_ && !ended()) collect_returned();  // T4
  if (lane_ && !ended()) check_returned();
  end(fin_received_ ? absl::UnavailableError("the peer has closed the port")
                    : absl::UnavailableError("the peer has gone without closing the port: it died, or was killed"));
}

}  // namespace wharf::ipc::detail
