// Message: a type, a payload of one or more parts, and up to 16 file descriptors; to be sent, or received.
//
//     co_await port.send(Message(kHello, "quay"));                    // borrowed: lives until the send is done
//     Message answer(kBody, std::move(loan));                         // shared memory: sent without a copy
//     answer.attach(std::move(file));
//     co_await request.reply(std::move(answer));
//
// A received message owns what it shows: inline payload is a copy, larger payload is a view of the peer's memory, which
// goes home when the message dies. The peer may change such a view while it is read. From a peer of the same program that
// does not happen; of a hostile one (PortOptions::trust) part() refuses to show it: copy it out, make the message stable, or
// take the part as untrusted_part(). Very large payload comes as a file that is sealed: nobody can change it, and it is
// mapped when it is first looked at.
//
// Threads: the port's reactor; any, for one that is to be sent through a PortHandle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/task.h"
#include "wharf/ipc/detail/fd_list.h"
#include "wharf/ipc/detail/few.h"
#include "wharf/ipc/detail/obligation.h"
#include "wharf/ipc/detail/small_bytes.h"
#include "wharf/ipc/payload_file.h"
#include "wharf/ipc/piece.h"
#include "wharf/ipc/port_end.h"
#include "wharf/ipc/untrusted_bytes.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::ipc {

class CallAwaiter;
class Port;
class RemoteMessage;
class SendAwaiter;
namespace detail {
class CallState;
class Link;
class LaneTransport;
class Settling;
class SocketTransport;
}  // namespace detail

class Message {
 public:
  // Not defaulted: Message() would then clear all of its bytes first.
  Message() noexcept {}  // NOLINT(modernize-use-equals-default)
  explicit Message(std::uint32_t type) noexcept : type_(type) {}
  // The bytes are borrowed until the send, call or reply that takes the message is done.
  Message(std::uint32_t type, std::string_view payload) : type_(type) { append(payload); }
  Message(std::uint32_t type, std::span<const std::byte> payload) : type_(type) { append(payload); }
  Message(std::uint32_t type, Loan payload) : type_(type) { append(std::move(payload)); }
  Message(std::uint32_t type, PayloadFile payload) : type_(type) { append(std::move(payload)); }
  // Type 0.
  Message(std::string_view payload) { append(payload); }                      // NOLINT(google-explicit-constructor)
  Message(const std::string& payload) { append(std::string_view(payload)); }  // NOLINT(google-explicit-constructor)
  Message(const char* payload) { append(payload); }                           // NOLINT(google-explicit-constructor)
  Message(Loan payload) { append(std::move(payload)); }                       // NOLINT(google-explicit-constructor)
  // A request that dies unanswered answers itself, with Aborted.
  Message(Message&&) noexcept = default;
  Message& operator=(Message&&) noexcept = default;
  ~Message() = default;

  std::uint32_t type() const noexcept { return type_; }
  void set_type(std::uint32_t type) noexcept { type_ = type; }
  // When the sender gives up, on CLOCK_MONOTONIC; 0: never. The receiver sees it.
  std::int64_t deadline_ns() const noexcept { return deadline_ns_; }
  void set_deadline_ns(std::int64_t deadline_ns) noexcept { deadline_ns_ = deadline_ns; }

  // The payload, part by part.
  std::size_t size_bytes() const noexcept {
    std::size_t bytes = head_.bytes().size();
    for (const Piece& piece : pieces_) bytes += piece.size_bytes();
    return bytes;
  }
  std::size_t part_count() const noexcept { return pieces_.size() + head_count(); }
  // Precondition (checked): the part is stable, or its sender trusted. Empty if it is a file that the kernel has no room to
  // map: take_file() gives it all the same.
  std::span<const std::byte> part(std::size_t index) const noexcept;
  // The part whoever sent it, for code that reads each byte once, or only passes it on.
  UntrustedBytes untrusted_part(std::size_t index) const noexcept { return UntrustedBytes(view(index)); }
  // Units: bytes; without a look at them.
  std::size_t part_bytes(std::size_t index) const noexcept;
  // Whether nobody else can change the payload, or one part of it, from now on.
  bool stable() const noexcept;
  bool part_is_stable(std::size_t index) const noexcept;
  // Copies payload that the peer can change into private memory, as one part, and gives its blocks back.
  // Cost: a copy; nothing, if the message is stable.
  void make_stable();
  // Gives a part that came as a file to the caller: a sealed memfd, to be read, mapped or sent on; the part is then
  // empty. An empty descriptor if the part is no file.
  runtime::UniqueFd take_file(std::size_t part_index) noexcept;
  // A copy of the first bytes of the payload, as many as `target` takes. Returns how many.
  std::size_t copy_out(std::span<std::byte> target) const noexcept;
  std::string to_string() const;
  // The whole payload as one span, without a copy if it is one part that may be shown; otherwise copied into `spare`.
  std::string_view text(std::string& spare) const;

  // Adds a part at the end: borrowed bytes, a loan, or a file. Any number of them; they arrive as one payload.
  Message& append(std::span<const std::byte> payload) {
    if (!payload.empty()) pieces_.emplace_back(payload);
    return *this;
  }
  Message& append(std::string_view payload) { return append(std::as_bytes(std::span(payload))); }
  Message& append(const char* payload) { return append(std::string_view(payload)); }
  Message& append(Loan payload);
  Message& append(PayloadFile payload);
  // Adds the parts of `other` that lie in shared memory or in sealed files, which leave it. Sent back where they came from
  // they are not copied: a reply can return the request's own payload.
  Message& append_blocks_of(Message& other);

  // The descriptors. Units: at most shm::kFdCountMax; more are refused by send().
  Message& attach(runtime::UniqueFd fd);
  // An end of a link, for the receiver to open: it takes the place of a descriptor.
  Message& attach(PortEnd end) { return attach(end.take_socket()); }
  std::size_t fd_count() const noexcept { return fds_.size(); }
  // Gives the descriptor to the caller; an empty one if there is none at `index`, or it was taken.
  runtime::UniqueFd take_fd(std::size_t index) noexcept;
  // The same for an end of a link.
  //
  // Errors: InvalidArgument  there is no descriptor at `index`, or it is none that Port::open() takes; it is closed
  StatusOr<PortEnd> take_port(std::size_t index);

  // Of a received request, part or reply: further parts follow, in messages of their own.
  bool has_more() const noexcept { return (flags_ & shm::kFlagMore) != 0; }
  // The next part of a request that has_more(). The parts come in order; the last has none after it.
  //
  // Errors:  FailedPrecondition: no request, or one of a single part; OutOfRange: the last part was taken already;
  //          Cancelled: the caller has given up, or this task was stopped; Unavailable: the link has ended
  // Cancel:  honoured; no part is lost.
  coro::Task<StatusOr<Message>> next_part();
  // Answers with one of several messages; reply() sends the last. Waits until the caller has room for it. One task at a
  // time; the caller must have used start_call().
  //
  // Errors:  as reply(); Cancelled: the caller has given up: reply() or dropping the request ends it
  coro::Task<Status> reply_part(Message part);

  // Of a received message: whether the sender waits for a reply.
  bool is_request() const noexcept { return static_cast<bool>(obligation_); }
  // Answers the request. Like Port::send() in every way; a second reply, or one to a message that is no request, is
  // InvalidArgument. If it is refused or stopped, the caller gets Aborted.
  SendAwaiter reply(Message answer);
  // Answers with an error: the caller's call() gives this status, which must not be OK.
  SendAwaiter reply_error(const Status& error);

  // Makes a received message fit for other threads: see remote_message.h.
  RemoteMessage detach() &&;

 private:
  // Whether it is nothing but bytes in plain memory, in one part at most: then they are `payload`.
  bool is_plain(std::span<const std::byte>& payload) const noexcept {
    if (!fds_.empty() || pieces_.size() > 1) return false;
    payload = head_.bytes();
    if (pieces_.empty()) return true;
    if (!payload.empty() || !pieces_.data()->is_borrowed()) return false;
    payload = pieces_.data()->bytes();
    return true;
  }
  // False: a file among the parts cannot be mapped, so that its bytes cannot be copied.
  bool readable() const noexcept;
  std::size_t head_count() const noexcept { return head_.bytes().empty() ? 0 : 1; }
  // Back to an empty message, which answers itself if it was a request.
  void clear() noexcept {
    if (obligation_ || !head_.bytes().empty() || !pieces_.empty() || !fds_.empty()) *this = Message();
    type_ = 0;
    flags_ = 0;
    stream_ = 0;
    deadline_ns_ = 0;
  }

  friend class CallAwaiter;
  friend class detail::CallState;
  friend class detail::Link;
  friend class detail::LaneTransport;
  friend class detail::Settling;
  friend class detail::SocketTransport;

  // Of a reply: what the peer answered with reply_error(); OK if it did not.
  Status as_error() const;
  // The part as it lies in memory, whoever can write there: for code that copies it, and nothing else.
  std::span<const std::byte> view(std::size_t index) const noexcept;
  const Piece* piece_of(std::size_t index) const noexcept;  // null: the inline part

  std::uint32_t type_ = 0;
  std::uint8_t flags_ = 0;  // shm::RecordFlag
  std::uint64_t stream_ = 0;
  std::int64_t deadline_ns_ = 0;
  detail::SmallBytes head_;  // the inline part of a received message; precedes the pieces
  detail::Few<Piece> pieces_;
  detail::Fds fds_;
  detail::Obligation obligation_;
};

}  // namespace wharf::ipc
