#include "wharf/ipc/detail/link.h"

#include <algorithm>
#include <string>
#include <utility>

#include "wharf/ipc/detail/lane_transport.h"
#include "wharf/ipc/detail/link_watches.h"
#include "wharf/ipc/detail/mailbox.h"
#include "wharf/ipc/detail/socket_transport.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/sys.h"

namespace wharf::ipc::detail {
namespace sys = runtime::sys;

namespace {

std::uint32_t this_cpu() noexcept { return static_cast<std::uint32_t>(sys::sched_getcpu()); }

}  // namespace

Link::Link(runtime::Reactor& reactor, const PortOptions& options) noexcept
    : reactor_(reactor),
      options_(options),
      calls_(static_cast<std::uint32_t>(options.lane.first_position)),
      turn_messages_left_(options.turn_message_count_max) {}

Link::~Link() { WHARF_CHECK(ended() || transport_ == nullptr, "a link died before it ended"); }

void Link::start(Handshaken handshaken) {
  socket_.emplace(std::move(handshaken.socket));
  lane_ = std::move(handshaken.lane);
  own_doorbell_ = std::move(handshaken.own_doorbell);
  peer_doorbell_ = std::move(handshaken.peer_doorbell);
  message_bytes_max_ = handshaken.message_bytes_max;
  peer_stream_window_ = handshaken.stream_window;
  stall_timer_ = std::make_unique<StallTimer>(*this);
  socket_watch_ = std::make_unique<SocketWatch>(*this);
  // The transport comes last: a link has one from the moment when nothing of this can fail any more.
  if (lane_) {
    doorbell_watch_ = std::make_unique<DoorbellWatch>(*this);
    if (options_.lane.arena_idle_ms != 0) arena_timer_ = std::make_unique<ArenaTimer>(*this);
    plain_bytes_max_ = std::min({handshaken.inline_bytes_max, message_bytes_max_, shm::kInlineBytesMax});
    const LaneTransport::Limits limits{handshaken.inline_bytes_max, message_bytes_max_, options_.turn_bytes_max};
    transport_ = std::make_unique<LaneTransport>(lane_, *socket_, limits, options_.trust, counters_);
  } else {
    const SocketTransport::Limits limits{handshaken.packet_bytes_max, message_bytes_max_,
                                         options_.socket_turn_bytes_max};
    transport_ = std::make_unique<SocketTransport>(*socket_, limits, counters_);
  }
}

// ---- The tasks' side; sending and receiving are in link_send.cc and link_receive.cc ----

bool Link::try_borrow(Borrowing& wanted) {
  if (ended()) {
    wanted.result = status_;
    return true;
  }
  if (!lane_) {
    wanted.result = absl::FailedPreconditionError("loan: this port has no shared memory; send plain bytes");
    return true;
  }
  shm::OwnBlock block;
  const bool has_turn = has_memory_turn(wanted.memory_turn);
  switch (has_turn ? lane_->arena().allocate(wanted.bytes, block) : shm::Allocation::kFull) {
    case shm::Allocation::kOk: wanted.loan.emplace(lane_, block, wanted.bytes); return true;
    case shm::Allocation::kTooLarge:
      wanted.result = absl::ResourceExhaustedError("loan: " + std::to_string(wanted.bytes) +
                                                   " bytes in one piece do not fit the arena: raise "
                                                   "arena_bytes_max, or lend smaller pieces");
      return true;
    case shm::Allocation::kRefused: wanted.result = lane_->arena().growth_error(); return true;
    case shm::Allocation::kFull: break;
  }
  if (wanted.memory_turn == 0) {
    wanted.memory_turn = ++memory_turns_;
    ++counters_.waits;
  }
  return false;
}

// Memory goes to loans, and to sends that copy into the arena, in the order in which they asked: what is small does not
// overtake what is large. Of each list only the first waits for it; a large message that has begun has its memory.
bool Link::has_memory_turn(std::uint64_t own_turn) const noexcept {
  std::uint64_t first = UINT64_MAX;
  const auto look_at = [&first](std::uint64_t turn) {
    if (turn != 0) first = std::min(first, turn);
  };
  if (!borrowers_.empty()) look_at(static_cast<const Borrower*>(borrowers_.first())->borrowing.memory_turn);
  for (const coro::detail::WaitList* list : {&senders_, &large_}) {
    if (!list->empty()) look_at(static_cast<const Sender*>(list->first())->memory_turn);
  }
  return first == UINT64_MAX || (own_turn != 0 && own_turn <= first);
}

void Link::look_out() noexcept {
  if (ended()) {
    if (!parked_.empty()) reactor_.make_hot(*this);
    return;
  }
  if (lane_ && lane_->sleeper().asleep()) lane_->sleeper().wake(this_cpu());
  reactor_.make_hot(*this);
}

Status Link::gave_up(const PortWait& wait, const char* operation) noexcept {
  look_out();
  return wait.interruption(operation);
}

bool Link::collect_returned() {
  const std::optional<std::size_t> count = lane_->collect();
  if (count.has_value()) {
    if (*count != 0) watch_arena();
    return *count != 0;
  }
  end(false_return());
  return false;
}

void Link::check_returned() {
  if (lane_->returned_too_much()) end(false_return());
}

void Link::lend_waiting() {
  while (!borrowers_.empty() && try_borrow(static_cast<Borrower*>(borrowers_.first())->borrowing)) {
    borrowers_.resume_first();
  }
}

// Loans and sends make way for one another.
void Link::serve_waiting() {
  std::size_t waiting_count;
  do {
    waiting_count = borrowers_.count() + senders_.count();
    lend_waiting();
    if (!senders_.empty()) send_waiting();
  } while (!ended() && !borrowers_.empty() && borrowers_.count() + senders_.count() < waiting_count);
}

void Link::watch_arena() noexcept {
  if (!lane_->arena().has_idle() || arena_timer_ == nullptr || arena_timer_->is_set() || fin_sent_) return;
  arena_timer_->start();
}

void Link::retire_idle_memory() {
  arena_idle_due_ = false;
  transport_->retire_idle_memory();
  publish_early();
  watch_arena();
}

// ---- The reactor's side ----

bool Link::poll() noexcept {
  const shm::Ref<Link> alive(this);
  turn_messages_left_ = options_.turn_message_count_max;
  if (ended()) {
    serve_receivers();
    if (receivers_.empty()) reactor_.make_cold(*this);
    return true;
  }
  send_wants_ = 0;
  if (peer_gone_) {
    drain_and_end();  // T2
    return true;
  }
  if (only_receives()) return receive_waiting() || ended();
  bool any = false;
  // The watch has spoken. Whoever finds no room once more asks afresh: the kernel may have refused for want of memory of
  // its own (ENOBUFS), with room in the socket, and does not say when that is over.
  if (socket_writable_) writable_watch_.reset();
  if (lane_ && socket_readable_) take_wakes();
  if (lane_ && !ended()) any = collect_returned();
  if (owed_ring_ != 0) reactor_.flush_later(*this);
  if (!ended() && !notes_.empty()) send_notes();
  if (!ended() && arena_idle_due_) retire_idle_memory();
  if (!ended()) serve_waiting();
  if (!ended()) any |= send_large();
  if (!wants_to_send() && owed_ring_ == 0) writable_watch_.reset();
  socket_writable_ = false;
  any |= receive_waiting();
  return any || ended();
}

// Most turns of most links: nothing waits to be sent, nothing is lent, and neither the socket nor a timer has said anything.
bool Link::only_receives() const noexcept {
  return lane_ && !wants_to_send() && borrowers_.empty() && owed_ring_ == 0 && lane_->lent().lent_count() == 0 &&
         !arena_idle_due_ && !socket_readable_ && !socket_writable_ && writable_watch_ == nullptr;
}

bool Link::glance() const noexcept {
  if (!lane_) return false;  // the socket's watch tells
  if (lane_->reader().readable()) return true;
  return (wants_to_send() || !borrowers_.empty()) && (lane_->writer().freed_before_sleep() || lane_->collectable());
}

bool Link::wants_to_send() const noexcept {
  return !senders_.empty() || !notes_.empty() || !large_.empty() || !begun_.empty();
}

std::uint64_t Link::wants() const noexcept {
  std::uint64_t wants = 0;
  if (wants_messages()) wants |= shm::kWantMessages;
  if (wants_to_send()) wants |= send_wants_;
  if (!borrowers_.empty()) wants |= shm::kWantMemory;
  return wants;
}

bool Link::prepare_sleep() noexcept {
  // A message that was left because the turn was over, or a waiting sender with budget again, is work.
  if (turn_messages_left_ == 0) return false;
  if (!lane_) return !(socket_readable_ && wants_messages()) && !socket_writable_;
  check_returned();
  if (ended()) return false;
  flush();
  const std::uint64_t wants = this->wants();
  lane_->sleeper().announce(wants, this_cpu());  // S1; below is S3
  if (((wants & shm::kWantMessages) != 0 && lane_->reader().readable_before_sleep()) ||
      ((wants & shm::kWantSpace) != 0 && lane_->writer().freed_before_sleep()) ||
      ((wants & shm::kWantMemory) != 0 && lane_->collectable_before_sleep())) {
    lane_->sleeper().wake(this_cpu());
    return false;
  }
  ++counters_.sleeps;
  return true;
}

runtime::Poller::Spinning Link::spinning() const noexcept {
  if (!lane_) return Spinning::kUseless;
  const shm::Ringer& ringer = lane_->ringer();
  bool known = false;
  const std::uint32_t peer_cpu = ringer.peer_cpu(known);
  if (ringer.peer_rests()) return Spinning::kUseless;
  return known && peer_cpu == this_cpu() ? Spinning::kHarmful : Spinning::kUseful;
}

void Link::publish_early(std::size_t payload_bytes) noexcept {
  if (!lane_) return;
  // Within a turn news gathers, for few stores and at most one ring; but a peer that is awake starts on the first of it at
  // once, and on each batch that takes it longer than the store takes us. Blocks go home one by one: the peer may be
  // waiting for room to write the next.
  constexpr std::size_t kBatchBytes = 8 * 1024;
  shm::RingWriter& writer = lane_->writer();
  unpublished_bytes_ += payload_bytes;
  if (unpublished_bytes_ >= kBatchBytes && writer.publish()) {
    unpublished_bytes_ = 0;
    owed_ring_ |= shm::kWantMessages;
    published_early_ = true;
  }
  publish_records();
  if (lane_->publish_releases()) owed_ring_ |= shm::kWantMemory;
  publish_space();
  reactor_.flush_later(*this);
}

void Link::flush() noexcept {
  if (ended() || !lane_) return;
  std::uint64_t news = std::exchange(owed_ring_, 0);
  published_early_ = false;
  unpublished_bytes_ = 0;
  if (lane_->writer().publish()) news |= shm::kWantMessages;
  if (lane_->reader().publish()) news |= shm::kWantSpace;
  if (lane_->publish_releases()) news |= shm::kWantMemory;
  if (news != 0) ring(news);
  watch_arena();
}

void Link::ring(std::uint64_t news) noexcept {
  if (!lane_->ringer().must_ring(news)) return;
  ++counters_.doorbells_rung;
  if (ring_doorbell()) {
    lane_->ringer().rung();
    if (!wants_to_send()) writable_watch_.reset();
    return;
  }
  owed_ring_ |= news;
  if (writable_watch_ == nullptr) reactor_.flush_later(*this);
}

bool Link::ring_doorbell() noexcept {
  if (peer_doorbell_) {
    const std::uint64_t one = 1;
    return sys::write(peer_doorbell_.get(), &one, sizeof(one)) == sizeof(one);
  }
  // A hostile peer can make its eventfd block whoever writes to it. No flag of the peer's makes this call wait.
  PacketHeader header{};
  header.kind = PacketKind::kWake;
  if (socket_->send(header, {}, {}) == PacketSocket::Sent::kSent) return true;
  // Full of what the peer has not read: it is rung when there is room.
  if (writable_watch_ == nullptr) writable_watch_ = std::make_unique<WritableWatch>(*this);
  return false;
}

void Link::take_wakes() noexcept {
  switch (socket_->take_wakes()) {
    case PacketSocket::Got::kFailed: return end(socket_->status());
    case PacketSocket::Got::kPacket: break;
    default: socket_readable_ = false;
  }
}

void Link::on_lane_change() noexcept {
  reactor_.flush_later(*this);
  // A loan that was given up may be what somebody waits for.
  if (!borrowers_.empty() || !senders_.empty() || !large_.empty() || !begun_.empty()) look_out();
}

// ---- The end: its steps E1, E2 and T1..T5 are those of docs/models.md ----

Status Link::false_return() {
  return absl::InvalidArgumentError("the peer broke the link's format: it returned a block that it does not hold");
}

Status Link::no_reply_can_come() { return absl::UnavailableError("call: the peer has closed its sending"); }

void Link::resume_with(coro::detail::WaitList& senders, const Status& result) {
  while (coro::detail::Wait* wait = senders.first()) {
    static_cast<Sender*>(wait)->result = result;
    senders.resume(*wait);
  }
}

// A send found the link broken. If that is the peer's end, what it published before is still there.
void Link::broken() {
  if (transport_->status().code() == StatusCode::kUnavailable) return drain_and_end();
  end(transport_->status());
}

void Link::end(Status why) noexcept {
  if (ended()) return;
  ended_.set();  // T5
  status_ = std::move(why);
  if (mailbox_ != nullptr) mailbox_->end(status_);
  reactor_.remove(*this);
  socket_watch_.reset();
  writable_watch_.reset();
  doorbell_watch_.reset();
  arena_timer_.reset();
  stall_timer_->cancel();
  if (lane_) lane_->close();
  socket_->close();  // E2
  own_doorbell_.reset();
  peer_doorbell_.reset();
  resume_with(senders_, status_);
  resume_with(large_, status_);
  resume_with(begun_, status_);
  fail_calls(status_);
  for (const auto& [stream, serving] : servings_) serving->fail(status_);
  while (coro::detail::Wait* wait = borrowers_.first()) {
    static_cast<Borrower*>(wait)->borrowing.result = status_;
    borrowers_.resume(*wait);
  }
  serve_receivers();
  if (!receivers_.empty()) reactor_.make_hot(*this);
}

void Link::close() noexcept {
  const shm::Ref<Link> alive(this);
  if (!ended() && transport_ != nullptr) {
    if (!fin_sent_ && senders_.empty() && begun_.empty()) {
      Outgoing fin;
      fin.kind = shm::RecordKind::kFin;
      transport_->try_send(fin);  // no room: the peer takes it for a death, which is what it looks like
    }
    flush();  // E1
    end(absl::UnavailableError("this side has closed the port"));
  }
  reactor_.remove(*this);  // hot still, if what was parked has been taken since
  if (!parked_.empty()) {
    parked_.clear();  // requests among them hold a Ref to this link
    receivers_.resume_all();
  }
  servings_.clear();
}

PortCounters Link::counters() const noexcept {
  PortCounters counters = counters_;
  if (!lane_) return counters;
  counters.blocks_lent_now = lane_->lent().lent_count();
  counters.arena_used_bytes = lane_->arena().used_bytes();
  counters.arena_segment_bytes = lane_->arena().segment_bytes();
  counters.peer_segment_bytes = lane_->peer_arena().segment_bytes();
  return counters;
}

}  // namespace wharf::ipc::detail
