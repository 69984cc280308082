#include "wharf/ipc/detail/link.h"

#include <string>
#include <utility>

#include "wharf/ipc/detail/lane_transport.h"
#include "wharf/ipc/detail/link_watches.h"
#include "wharf/ipc/detail/socket_transport.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::ipc::detail {
namespace sys = runtime::sys;
using Got = Transport::Got;
using Sent = Transport::Sent;

namespace {

std::uint32_t this_cpu() noexcept { return static_cast<std::uint32_t>(sys::sched_getcpu()); }

Status no_reply_can_come() { return absl::UnavailableError("call: the peer has closed its sending"); }

// Ends the wait of every Sender in the list.
void resume_with(coro::detail::WaitList& senders, const Status& result) {
  while (coro::detail::Wait* wait = senders.first()) {
    static_cast<Sender*>(wait)->result = result;
    senders.resume(*wait);
  }
}

}  // namespace

Link::Link(runtime::Reactor& reactor, const PortOptions& options) noexcept
    : reactor_(reactor), options_(options), turn_messages_left_(options.turn_message_count_max) {}

Link::~Link() { WHARF_CHECK(ended() || transport_ == nullptr, "a link died before it ended"); }

void Link::start(Handshaken handshaken) {
  socket_.emplace(std::move(handshaken.socket));
  lane_ = std::move(handshaken.lane);
  own_doorbell_ = std::move(handshaken.own_doorbell);
  peer_doorbell_ = std::move(handshaken.peer_doorbell);
  message_bytes_max_ = handshaken.message_bytes_max;
  if (lane_) {
    transport_ = std::make_unique<LaneTransport>(lane_, *socket_, handshaken.inline_bytes_max, counters_);
    doorbell_watch_ = std::make_unique<DoorbellWatch>(*this);
  } else {
    transport_ = std::make_unique<SocketTransport>(*socket_, handshaken.packet_bytes_max,
                                                   message_bytes_max_, counters_);
  }
  socket_watch_ = std::make_unique<SocketWatch>(*this);
}

// ---- The tasks' side ----

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

void Link::forget_call(const Sender& caller) noexcept { calls_.remove(caller.outgoing.stream); }

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

bool Link::try_borrow(Borrower& borrower) {
  if (ended()) {
    borrower.result = status_;
    return true;
  }
  if (!lane_) {
    borrower.result = absl::FailedPreconditionError("loan: this port has no shared memory; send plain bytes");
    return true;
  }
  if (!borrowers_.empty() && !borrower.waiting()) return false;
  shm::OwnBlock block;
  switch (lane_->arena().allocate(borrower.bytes, block)) {
    case shm::Allocation::kOk:
      borrower.loan.emplace(lane_, block, borrower.bytes);
      return true;
    case shm::Allocation::kTooLarge: {
      const Status& why = lane_->arena().growth_error();
      borrower.result = !why.ok() ? why : absl::ResourceExhaustedError(
          "loan: " + std::to_string(borrower.bytes) + " bytes in one piece do not fit the arena: raise "
          "arena_bytes_max, or lend smaller pieces");
      return true;
    }
    case shm::Allocation::kFull: break;
  }
  if (!borrower.waiting()) ++counters_.waits;
  return false;
}

void Link::look_out() noexcept {
  if (ended()) return;
  if (lane_) lane_->sleeper().wake(this_cpu());
  reactor_.make_hot(*this);
}

Status Link::gave_up(const PortWait& wait, const char* operation) noexcept {
  look_out();
  return wait.interruption(operation);
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

// ---- The peer's side ----

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

bool Link::collect_returned() {
  const std::optional<std::size_t> count = lane_->collect();
  if (count.has_value()) return *count != 0;
  end(absl::InvalidArgumentError("the peer broke the link's format: it returned a block that it does not hold"));
  return false;
}

void Link::lend_waiting() {
  while (!borrowers_.empty() && try_borrow(*static_cast<Borrower*>(borrowers_.first()))) {
    borrowers_.resume_first();
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

// ---- The reactor's side ----

bool Link::poll() noexcept {
  const shm::Ref<Link> alive(this);
  turn_messages_left_ = options_.turn_message_count_max;
  send_wants_ = 0;
  if (peer_gone_) {
    drain_and_end();
    return true;
  }
  bool any = false;
  if (lane_) any = collect_returned();
  if (!ended() && !borrowers_.empty()) lend_waiting();
  if (!ended() && !dropped_.empty()) send_dropped_answers();
  if (!ended() && !senders_.empty()) send_waiting();
  socket_writable_ = false;
  any |= receive_waiting();
  return any || ended();
}

std::uint64_t Link::wants() const noexcept {
  std::uint64_t wants = 0;
  if (wants_messages()) wants |= shm::kWantMessages;
  if (!senders_.empty() || !dropped_.empty()) wants |= send_wants_;
  if (!borrowers_.empty()) wants |= shm::kWantMemory;
  return wants;
}

bool Link::prepare_sleep() noexcept {
  // A message that was left because the turn was over, or a waiting sender with budget again, is work.
  if (turn_messages_left_ == 0) return false;
  if (!lane_) return !(socket_readable_ && wants_messages()) && !socket_writable_;
  flush();
  const std::uint64_t wants = this->wants();
  lane_->sleeper().announce(wants, this_cpu());  // S1; below is S3
  if (((wants & shm::kWantMessages) != 0 && lane_->reader().readable_before_sleep()) ||
      ((wants & shm::kWantSpace) != 0 && lane_->writer().freed_before_sleep()) ||
      ((wants & shm::kWantMemory) != 0 && lane_->collectable_before_sleep())) {
    lane_->sleeper().wake(this_cpu());
    return false;
  }
  return true;
}

bool Link::may_spin() const noexcept {
  if (!lane_) return false;
  const shm::Ringer& ringer = lane_->ringer();
  bool known = false;
  const std::uint32_t peer_cpu = ringer.peer_cpu(known);
  // A peer that rests is about to send nothing; one that needs this cpu cannot.
  return !ringer.peer_rests() && !(known && peer_cpu == this_cpu());
}

void Link::publish_early() noexcept {
  if (!lane_) return;
  // Within a turn news gathers, for one store and at most one ring; but a peer that is awake starts on a large batch.
  constexpr std::size_t kBatchCells = 32;
  shm::RingWriter& writer = lane_->writer();
  shm::RingReader& reader = lane_->reader();
  if (writer.unpublished_cells() >= kBatchCells && writer.publish()) owed_ring_ |= shm::kWantMessages;
  if (reader.unpublished_cells() >= kBatchCells && reader.publish()) owed_ring_ |= shm::kWantSpace;
  reactor_.flush_later(*this);
}

void Link::flush() noexcept {
  if (ended() || !lane_) return;
  std::uint64_t news = std::exchange(owed_ring_, 0);
  if (lane_->writer().publish()) news |= shm::kWantMessages;
  if (lane_->reader().publish()) news |= shm::kWantSpace;
  if (lane_->publish_releases()) news |= shm::kWantMemory;
  if (news != 0) ring(news);
}

void Link::ring(std::uint64_t news) noexcept {
  if (!lane_->ringer().must_ring(news)) return;
  const std::uint64_t one = 1;
  ++counters_.doorbells_rung;
  if (sys::write(peer_doorbell_.get(), &one, sizeof(one)) == sizeof(one)) {
    lane_->ringer().rung();
    return;
  }
  owed_ring_ |= news;
  reactor_.flush_later(*this);
}

void Link::on_lane_change() noexcept {
  reactor_.flush_later(*this);
  // A loan that was given up may be what somebody waits for.
  if (!borrowers_.empty() || !senders_.empty()) look_out();
}

// ---- The end ----

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
  end(fin_received_ ? absl::UnavailableError("the peer has closed the port")
                    : absl::UnavailableError("the peer has gone without closing the port: it died, or was killed"));
}

// A send found the link broken. If that is the peer's end, what it published before is still there.
void Link::broken() {
  if (transport_->status().code() == StatusCode::kUnavailable) return drain_and_end();
  end(transport_->status());
}

void Link::end(Status why) noexcept {
  if (ended()) return;
  ended_.set();
  status_ = std::move(why);
  reactor_.remove(*this);
  socket_watch_.reset();
  writable_watch_.reset();
  doorbell_watch_.reset();
  if (lane_) lane_->close();
  socket_->close();
  own_doorbell_.reset();
  peer_doorbell_.reset();
  resume_with(senders_, status_);
  resume_with(callers_, status_);
  while (coro::detail::Wait* wait = borrowers_.first()) {
    static_cast<Borrower*>(wait)->result = status_;
    borrowers_.resume(*wait);
  }
  receivers_.resume_all();
}

void Link::close() noexcept {
  const shm::Ref<Link> alive(this);
  if (!ended() && transport_ != nullptr) {
    if (!fin_sent_ && senders_.empty()) {
      Outgoing fin;
      fin.kind = shm::RecordKind::kFin;
      transport_->try_send(fin);  // no room: the peer takes it for a death, which is what it looks like
    }
    flush();
    end(absl::UnavailableError("this side has closed the port"));
  }
  parked_.clear();  // requests among them hold a Ref to this link
}

PortCounters Link::counters() const noexcept {
  PortCounters counters = counters_;
  if (!lane_) return counters;
  counters.blocks_lent_now = lane_->lent().lent_count();
  counters.arena_used_bytes = lane_->arena().used_bytes();
  counters.arena_segment_bytes = lane_->arena().segment_bytes();
  return counters;
}

}  // namespace wharf::ipc::detail
