// Transport: one way for messages to reach the peer, in order. LaneTransport: shared memory, with fds beside it on the
// socket. SocketTransport: the socket alone. The link above them is the same.
//
// Threads: the port's reactor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "wharf/ipc/counters.h"
#include "wharf/ipc/detail/settling.h"
#include "wharf/ipc/message.h"
#include "wharf/runtime/base/status.h"
#include "wharf/shm/format.h"

namespace wharf::ipc::detail {

// A message on its way out.
struct Outgoing {
  Message message;
  shm::RecordKind kind = shm::RecordKind::kMessage;  // or kFin, without a message
  std::uint8_t flags = 0;                            // shm::RecordFlag
  std::uint64_t stream = 0;
  bool begun = false;          // a fragment is out: the rest must follow
  std::uint32_t assembly = 0;  // its fragments' number
  std::size_t sent_bytes = 0;  // of the payload, in fragments; where the next begins:
  std::size_t sent_part = 0;
  std::size_t sent_part_bytes = 0;
  std::size_t share_end_bytes = 0;     // of this turn's share, which may take several tries
  std::uint64_t position = 0;          // once it is sent: for retract()
  bool admitted = false;               // by a handle, which has its own bound: waiting_count_max is none for it
  bool memory_is_others = false;       // somebody waits for the arena who came before
  std::unique_ptr<Settling> settling;  // of a large payload that is being copied
  Status refusal;                      // why try_send() said kRefused
  Obligation obligation;               // of a reply: owed until it is sent
};

class Transport {
 public:
  virtual ~Transport() = default;

  enum class Sent {
    kSent,
    kProgress,  // this turn's share has moved, and nothing stands in the way of more
    kNoTurn,    // as many bytes as may be are under way in others: wait until one of these has been sent
    kNoSpace,   // the ring is full: wait until the peer has read some
    kNoMemory,  // the arena is full, or others have it first: wait until the peer has returned some
    kNoSlots,   // too many blocks are lent: likewise
    kNoSocket,  // the socket is full: wait until it is writable
    kRefused,   // never: Outgoing::refusal says why; nothing was sent, and the port stays usable
    kBroken,    // the link is done for: status() says why
  };
  // Sends a message of a kind that takes no preparation, if there is room for it now. Once sent, a loan belongs to the
  // peer, and `position` is for retract(). kRefused: status() says why. kNoTurn: not in this way; nothing has happened.
  virtual Sent send_at_once(Message& /*message*/, std::uint8_t /*flags*/, std::uint64_t /*stream*/,
                            std::uint64_t& /*position*/) {
    return Sent::kNoTurn;
  }
  // Whether the message is large: its bytes move in several turns.
  virtual bool takes_turns(const Outgoing& outgoing) const noexcept = 0;
  // Sends `outgoing`, or moves the next of its bytes, so many as one turn may. Once sent, its loans belong to the peer.
  // Others may go between two tries. One that is not large either goes as a whole, or goes on before any other that is
  // not, so that these stay in order.
  virtual Sent try_send(Outgoing& outgoing) = 0;

  // Takes back a request that the peer has not claimed. True: its memory is ours again. False: the peer has it, and
  // settle_retraction() is to be told of its last reply.
  virtual bool retract(std::uint64_t position, std::uint64_t stream) = 0;
  // The last reply to `stream` has come. `unseen`: the peer did not look at the request, so its memory is ours again.
  virtual void settle_retraction(std::uint64_t stream, bool unseen) = 0;

  // kRetracted: a request that its sender has taken back; only its stream is set. kCredit, kCancel: as the record of that name.
  // kMemory: the peer's arena has another segment, or one less.
  // kBusy: not empty, but enough for one turn. kEnd: the socket's end, seen by a transport that reads the socket.
  enum class Got { kMessage, kRetracted, kCredit, kCancel, kMemory, kFin, kEmpty, kBusy, kEnd, kBroken };
  // Receives the next message.
  virtual Got try_receive(Message& message) = 0;
  // Messages that have arrived in part.
  virtual bool has_unfinished() const noexcept { return false; }
  // To be called kStallTicks times in assembly_timeout_ms while there are some. False, and status(): one of them has made
  // no progress for so long, though everything that came was read, as `all_read` says.
  static constexpr int kStallTicks = 4;
  virtual bool check_progress(bool /*all_read*/) noexcept { return true; }

  // Gives shared memory back that holds nothing, and has held nothing since the last call.
  virtual void retire_idle_memory() {}

  // The peer's word was impossible, or the kernel's was no.
  const Status& status() const noexcept { return status_; }

 protected:
  explicit Transport(PortCounters& counters) noexcept : counters_(counters) {}
  Sent refuse(Outgoing& outgoing, Status why) {
    outgoing.refusal = std::move(why);
    return Sent::kRefused;
  }

  Status status_;
  PortCounters& counters_;
};

}  // namespace wharf::ipc::detail
