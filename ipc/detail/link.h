// Link: the engine of a port. It moves messages between the transport and the tasks that wait, announces its sleeps,
// rings the peer, and ends when the peer does. Port owns it; what may outlive the port (a request that is still to be
// answered, a task that waits) holds a Ref.
//
// Threads: the port's reactor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <unordered_map>

#include "wharf/coro/detail/wait.h"
#include "wharf/coro/event.h"
#include "wharf/ipc/call.h"
#include "wharf/ipc/counters.h"
#include "wharf/ipc/detail/call_table.h"
#include "wharf/ipc/detail/caller.h"
#include "wharf/ipc/detail/handshake.h"
#include "wharf/ipc/detail/packet_socket.h"
#include "wharf/ipc/detail/port_wait.h"
#include "wharf/ipc/detail/queue.h"
#include "wharf/ipc/detail/serving.h"
#include "wharf/ipc/detail/transport.h"
#include "wharf/ipc/options.h"
#include "wharf/runtime/base/cpu.h"
#include "wharf/runtime/base/private_fd.h"
#include "wharf/runtime/poller.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/watch.h"
#include "wharf/shm/lane.h"

namespace wharf::ipc::detail {

class Mailbox;

// Of the text that explains an error to the peer; longer ones are cut.
inline constexpr std::size_t kErrorTextBytesMax = 512;
// Cells of the ring that gather before they are published within a turn, once the first have been.
inline constexpr std::size_t kBatchCells = 32;

// A task that sends a message.
struct Sender : PortWait {
  // `starter`: the caller of the request that the message begins, or null.
  Sender(Outgoing&& what, Caller* starter) noexcept : outgoing(std::move(what)), caller(starter) {}
  explicit Sender(Caller* starter) noexcept : caller(starter) {}
  ~Sender();  // elsewhere: most awaiters end without one

  Outgoing outgoing;
  Caller* caller;
  bool awaits_reply = false;  // the task goes on waiting, for the reply
  bool large = false;         // it moves in several turns
  bool sent = false;
  std::uint64_t memory_turn = 0;  // its place among all who wait for memory; 0: it does not
  Status result;
};

// Something short that the link says by itself. It waits for room without a task.
struct Note {
  shm::RecordKind kind = shm::RecordKind::kMessage;  // kMessage: the answer to a request that nobody answers
  std::uint8_t flags = 0;
  std::uint32_t type = 0;  // of an answer: its status code; of a credit: how many parts
  std::uint64_t stream = 0;
  const char* text = "";  // of an answer
};

// A task that waits for a message.
struct Receiver : PortWait {
  explicit Receiver(std::optional<Message>& target) noexcept : message(target) {}

  std::optional<Message>& message;
};

// Memory that is wanted, and what came of it.
struct Borrowing {
  std::size_t bytes = 0;
  std::uint64_t memory_turn = 0;  // as a sender's
  std::optional<Loan> loan;
  Status result;
};

// A task that waits for memory.
struct Borrower : PortWait {
  explicit Borrower(Borrowing& wanted) noexcept : borrowing(wanted) {}

  Borrowing& borrowing;
};

class Link final : public shm::RefCounted, private runtime::Poller, private shm::Lane::Owner {
 public:
  Link(runtime::Reactor& reactor, const PortOptions& options) noexcept;
  // Puts the link to work on what the handshake agreed on.
  void start(Handshaken handshaken);
  // Says goodbye if there is room, and ends the link.
  void close() noexcept;

  // Sends a message that is plain: with no descriptors, and nothing but bytes that fit the record. False: nothing has
  // happened. `position`: for retract().
  bool send_plain(const Message& message, std::uint8_t flags, std::uint64_t stream, std::uint64_t& position);
  // Sends the message as one record, if it is of the plain and frequent kinds, and nothing at all stands in the way: of a
  // reply with its flags and stream. True: it is over, and `result` says how. False: nothing has happened; a Sender finds
  // out what is to be done.
  bool send_at_once(Message& message, Status& result, std::uint8_t flags = 0, std::uint64_t stream = 0);
  // The same for a request without fds. True: it is sent, and its caller registered.
  bool call_at_once(Caller& caller, Message& request);
  // Each tries at once. True: it is over, in success or failure. False: add the waiter to the list and call look_out().
  bool try_send(Sender& sender);
  bool try_receive(std::optional<Message>& message);
  // Whether the next message is there, for whoever asks, and plain; then take_plain() is to follow at once, which makes it.
  bool peek_plain(shm::RecordView& record) noexcept;
  void take_plain(const shm::RecordView& record, Message& message);
  // Nothing has come yet. True: something has now.
  bool linger() noexcept { return turn_messages_left_ != 0 && reactor_.linger(*this); }
  // When whoever calls wants the reply: by `deadline_ns` (0: at any time), and in the time that its task was given.
  std::int64_t call_deadline_ns(std::int64_t deadline_ns) const noexcept {
    const coro::Context* const task = reactor_.running();
    if (task == nullptr || task->deadline_ns == coro::kNoDeadline) return deadline_ns;
    return deadline_ns == 0 ? task->deadline_ns : std::min(deadline_ns, task->deadline_ns);
  }
  bool try_borrow(Borrowing& wanted);
  coro::detail::WaitList& senders(const Sender& sender) noexcept {
    return sender.sent ? callers_ : sender.large ? large_ : senders_;
  }
  coro::detail::WaitList& receivers() noexcept { return receivers_; }
  coro::detail::WaitList& borrowers() noexcept { return borrowers_; }
  // Somebody waits from now on: the reactor looks at the link every turn, until it sleeps.
  void look_out() noexcept;
  // A wait has ended without success: says why, and whoever waits behind it may go on.
  Status gave_up(const PortWait& wait, const char* operation) noexcept;

  // ---- Calls: link_calls.cc ----
  // Nobody waits for its replies any more.
  void forget_call(const Caller& caller) noexcept { calls_.remove(caller.stream); }
  // Takes the request of a registered caller back if it can, and forgets it. Otherwise tells the peer that the replies are
  // no longer wanted; the caller stays registered.
  CancelOutcome cancel_call(Caller& caller) noexcept;
  // Errors: ResourceExhausted  call_count_max calls are unanswered
  Status check_call_count();
  // Units: `flag` says whose stream it is, as in a record.
  void give_credit(shm::RecordFlag flag, std::uint64_t stream, std::uint32_t part_count);
  std::uint32_t peer_stream_window() const noexcept { return peer_stream_window_; }
  // A request that comes, or is answered, in parts has a Serving. The first makes it if need be; the second may give null.
  shm::Ref<Serving> serving(std::uint64_t stream);
  shm::Ref<Serving> find_serving(std::uint64_t stream) const noexcept;
  // A request has its answer; or never gets one, and answers itself.
  void request_answered(std::uint64_t stream) noexcept;
  void request_dropped(std::uint64_t stream) noexcept;
  shm::Lane::Owner& lane_owner() noexcept { return *this; }

  // What the port's handles post to; made for the first of them.
  const std::shared_ptr<Mailbox>& mailbox();
  void letter_delivered(bool sent) noexcept { ++(sent ? counters_.handle_sends : counters_.handle_losses); }

  coro::Event& ended_event() noexcept { return ended_; }
  bool ended() const noexcept { return ended_.is_set(); }
  // OK while the link lives.
  const Status& status() const noexcept { return status_; }
  bool uses_shared_memory() const noexcept { return static_cast<bool>(lane_); }
  const PortOptions& options() const noexcept { return options_; }
  PortCounters counters() const noexcept;

 private:
  friend class shm::Ref<Link>;
  class SocketWatch;
  class WritableWatch;
  class DoorbellWatch;
  class ArenaTimer;
  class StallTimer;
  ~Link();

  // runtime::Poller
  bool poll() noexcept override;
  bool glance() const noexcept override;
  bool prepare_sleep() noexcept override;
  void flush() noexcept override;
  Spinning spinning() const noexcept override;
  // shm::Lane::Owner
  void on_lane_change() noexcept override;

  Transport::Sent transmit_at_once(Message& message, std::uint8_t flags, std::uint64_t stream, std::uint64_t& position);
  enum class Step { kDone, kProgress, kWaits };
  Step send_now(Sender& sender);
  void send_waiting();
  bool send_large();
  Step send_large(Sender& sender, coro::detail::WaitList& list);
  void sent(Sender& sender, coro::detail::WaitList& list);
  void send_notes() noexcept;
  void lend_waiting();
  void serve_waiting();
  bool has_memory_turn(std::uint64_t own_turn) const noexcept;
  void watch_arena() noexcept;
  void retire_idle_memory();
  bool collect_returned();
  void check_returned();
  void serve_receivers() noexcept;
  bool receive_waiting();
  Transport::Got take(Message& message);
  void use_turn(std::size_t payload_bytes) noexcept;
  bool accept(Transport::Got got, Message& message);
  void check_progress() noexcept;
  bool readable() const noexcept;
  bool only_receives() const noexcept;
  bool wants_messages() const noexcept;
  bool wants_to_send() const noexcept;

  bool accept_request(Message& message);
  void accept_part(Message part);
  void accept_reply(Message& reply);
  void accept_note(Transport::Got got, const Message& note);
  void reserve_notes();
  void note(const Note& note) noexcept;
  void answer(std::uint64_t stream, StatusCode code, const char* text, std::uint8_t flags = 0) noexcept;
  void fail_calls(const Status& why) noexcept;
  std::uint64_t wants() const noexcept;
  void drain_and_end();
  static Status no_reply_can_come();
  static Status false_return();
  // Ends the wait of every Sender in the list.
  static void resume_with(coro::detail::WaitList& senders, const Status& result);
  void broken();
  void end(Status why) noexcept;
  // There is news for the peer: it is published at the end of the turn, or now if there is much. `payload_bytes`: of the
  // message that the news is.
  void publish_early(std::size_t payload_bytes = 0) noexcept;
  void publish_records() noexcept;
  void publish_space() noexcept;
  void ring(std::uint64_t news) noexcept;
  bool ring_doorbell() noexcept;
  void take_wakes() noexcept;
  // Whether packets come by themselves: messages, or the wakes of a peer that has no doorbell of ours.
  bool reads_socket() const noexcept { return !lane_ || socket_->expects_wakes(); }

  runtime::Reactor& reactor_;
  const PortOptions options_;
  PortCounters counters_;

  std::optional<PacketSocket> socket_;
  shm::Ref<shm::Lane> lane_;  // null: the socket alone
  std::unique_ptr<Transport> transport_;
  runtime::PrivateFd own_doorbell_;   // the peer rings it
  runtime::PrivateFd peer_doorbell_;  // we ring it; none: the peer is rung by packets
  std::unique_ptr<SocketWatch> socket_watch_;
  std::unique_ptr<WritableWatch> writable_watch_;  // while a send waits for the socket
  std::unique_ptr<DoorbellWatch> doorbell_watch_;
  std::unique_ptr<ArenaTimer> arena_timer_;  // null: the arena keeps what it has
  std::unique_ptr<StallTimer> stall_timer_;  // set while messages have arrived in part

  coro::detail::WaitList senders_;  // of messages that are not large: they are sent in order
  coro::detail::WaitList large_;    // of large messages that have not begun, in order
  coro::detail::WaitList begun_;    // of those that have: they share in turn
  coro::detail::WaitList callers_;  // whose request has been sent
  coro::detail::WaitList receivers_;
  coro::detail::WaitList borrowers_;
  CallTable<Caller> calls_;
  std::shared_ptr<Mailbox> mailbox_;  // null: there is no handle
  Queue<Message> parked_;             // arrived before anybody asked, ahead of replies
  Queue<Note> notes_;                 // that have found no room yet
  std::size_t open_requests_ = 0;     // received and not answered: notes_ has room for an answer to each
  std::unordered_map<std::uint64_t, shm::Ref<Serving>> servings_;  // by the peer's stream

  std::uint32_t turn_messages_left_;
  std::uint64_t send_wants_ = 0;       // shm::Want: what the first sender, and notes, found too little of
  std::uint64_t memory_turns_ = 0;     // given out
  std::uint64_t owed_ring_ = 0;        // published, and not rung for yet
  bool published_early_ = false;       // in this turn
  std::size_t unpublished_bytes_ = 0;  // of payload that was sent
  std::size_t message_bytes_max_ = 0;
  std::size_t plain_bytes_max_ = 0;  // of a message that is one record
  std::uint32_t peer_stream_window_ = 1;
  bool socket_readable_ = false;
  bool socket_writable_ = false;
  bool peer_gone_ = false;  // the socket has ended; what was published is still to be read
  bool arena_idle_due_ = false;
  bool fin_sent_ = false;
  bool fin_received_ = false;
  coro::Event ended_;
  Status status_;
};

// ---- What runs for each plain message ----

inline bool Link::peek_plain(shm::RecordView& record) noexcept {
  return lane_ && parked_.empty() && receivers_.empty() && turn_messages_left_ != 0 && !ended() && !fin_received_ &&
         lane_->reader().peek_plain(record) && record.header.inline_bytes <= message_bytes_max_;
}

inline void Link::take_plain(const shm::RecordView& record, Message& message) {
  message.type_ = record.header.type;
  message.stream_ = record.header.stream;
  message.deadline_ns_ = record.header.deadline_ns;
  message.head_.fill(record.inline_bytes, record.header.inline_bytes);
  lane_->reader().pop();
  counters_.bytes_received += record.header.inline_bytes;
  ++counters_.messages_received;
  --turn_messages_left_;
  publish_space();
  reactor_.flush_later(*this);
}

inline bool Link::send_plain(const Message& message, std::uint8_t flags, std::uint64_t stream,
                             std::uint64_t& position) {
  std::span<const std::byte> payload;
  if (!message.is_plain(payload) || payload.size() > plain_bytes_max_ || !lane_ || !lane_->arena().retired().empty() ||
      ended() || fin_sent_ || turn_messages_left_ == 0 || !senders_.empty()) {
    return false;
  }
  shm::RingWriter& writer = lane_->writer();
  std::byte* const at = writer.reserve(shm::record_cells(0, payload.size()));
  if (at == nullptr) return false;
  // In place: a copy of small fields by wide moves would wait for each of them.
  ::new (at) shm::RecordHeader{
      .kind = shm::RecordKind::kMessage,
      .flags = flags,
      .fd_count = 0,
      .retracted = 0,
      .block_count = 0,
      .inline_bytes = static_cast<std::uint16_t>(payload.size()),
      .type = message.type_,
      .fds_sequence = 0,
      .stream = stream,
      .deadline_ns = message.deadline_ns_,
  };
  if (!payload.empty()) {
    runtime::copy_fresh(at + sizeof(shm::RecordHeader), payload.data(), payload.size());
    counters_.bytes_sent += payload.size();
    ++counters_.parts_inline;
    counters_.bytes_copied_inline += payload.size();
  }
  ++counters_.messages_sent;
  ++counters_.sent_shared_memory;
  --turn_messages_left_;
  position = writer.commit();
  publish_records();
  reactor_.flush_later(*this);
  return true;
}

// The first of a turn goes at once, to a peer that is awake; later ones in batches.
inline void Link::publish_records() noexcept {
  shm::RingWriter& writer = lane_->writer();
  if (writer.unpublished_cells() < (published_early_ ? kBatchCells : 1)) return;
  unpublished_bytes_ = 0;
  if (!writer.publish()) return;
  owed_ring_ |= shm::kWantMessages;
  published_early_ = true;
}

// Cells go home in batches.
inline void Link::publish_space() noexcept {
  shm::RingReader& reader = lane_->reader();
  if (reader.unpublished_cells() >= kBatchCells && reader.publish()) owed_ring_ |= shm::kWantSpace;
}

}  // namespace wharf::ipc::detail
