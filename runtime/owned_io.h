// Input and output with memory that the operation owns: a stop or a deadline ends the co_await at once, even where the kernel
// cannot give the operation up (a disk that hangs). The operation is then abandoned, and its memory freed when it ends.
//
//     OwnedResult got = co_await recv_owned(socket, Buffer(4096), {.deadline_ns = soon});
//     if (!got.count.ok()) co_return got.count.status();
//     use(got.buffer.bytes().first(*got.count));
//
// Ownership: the buffer is taken, and comes back with the result; not from an abandoned operation. The fd is borrowed until
//            the co_await is over; the kernel holds on to the file by itself.
// Errors:    those of io.h
// Cancel:    honoured at once. An abandoned operation may yet succeed: what it received is lost, what it sent or wrote is
//            so. So a stopped receive leaves a stream that is good for closing only. The awaiter may be destroyed.
// Threads:   the reactor's.
// Cost:      an allocation beside the buffer's; for a message three.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/runtime/address.h"
#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/buffer.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

struct OwnedResult {
  StatusOr<std::size_t> count;
  Buffer buffer;  // empty if the operation was abandoned
};

// What sendmsg_owned sends, and recvmsg_owned receives into.
struct OwnedMessage {
  OwnedMessage() noexcept = default;
  explicit OwnedMessage(Buffer part) { parts.push_back(std::move(part)); }

  std::vector<Buffer> parts;  // in their order
  Buffer control;  // control messages; to receive, how much room there is for some, and afterwards those that came
  // To send: they go along, beside what `control` holds, and stay open until the kernel has them. Received: those that came,
  // close-on-exec, and last the sender's pidfd if the socket has SO_PASSPIDFD; their numbers in `control` are of no
  // account.
  std::vector<UniqueFd> fds;
  Address address;  // to send: whom to, unless the socket is connected; received: who sent it, if it tells
  int flags = 0;    // received: MSG_TRUNC, a datagram was cut; MSG_CTRUNC, control messages were
};

struct OwnedMessageResult {
  StatusOr<std::size_t> count;  // bytes, in all parts
  OwnedMessage message;         // empty if the operation was abandoned
};

namespace detail {

// One wait for an operation on the heap, which it may leave behind.
class OwnedWait : private coro::StopCallback, private Timer {
 public:
  OwnedWait(const OwnedWait&) = delete;
  OwnedWait& operator=(const OwnedWait&) = delete;

  static constexpr const char* kWaitsFor = "";
  void describe_wait(std::string& text, std::int64_t now_ns) const;
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    if (!begin(handle.promise())) return false;
    frame_->note_wait(site, *this);
    return true;
  }

 protected:
  class Owned;

  OwnedWait(const char* name, Owned* operation, IoOptions options) noexcept;
  ~OwnedWait() override;

  // Null: abandoned.
  Owned* operation() const noexcept { return operation_; }
  StatusOr<std::size_t> count() const;

 private:
  bool begin(coro::Frame& frame) noexcept;
  void finish(std::int32_t result) noexcept;
  void give_up(StatusCode reason) noexcept;
  void on_stop() noexcept override { give_up(StatusCode::kCancelled); }
  void on_expired() noexcept override { give_up(StatusCode::kDeadlineExceeded); }

  const char* name_;
  std::int64_t deadline_ns_;
  Owned* operation_;
  coro::Frame* frame_ = nullptr;
  std::int32_t result_ = 0;
  StatusCode given_up_ = StatusCode::kOk;
};

class [[nodiscard]] OwnedAwaiter final : public OwnedWait {
 public:
  OwnedAwaiter(const char* name, Opcode opcode, int file, Buffer buffer, std::uint32_t flags, std::uint64_t offset,
               IoOptions options);
  OwnedResult await_resume();

 private:
  class Bytes;
};

class [[nodiscard]] OwnedMessageAwaiter final : public OwnedWait {
 public:
  OwnedMessageAwaiter(const char* name, Opcode opcode, int socket, OwnedMessage message, std::uint32_t flags,
                      IoOptions options);
  OwnedMessageResult await_resume();

 private:
  class Message;
};

}  // namespace detail

// Up to buffer.size() bytes; see recv, send, read and write.
inline auto recv_owned(int socket, Buffer buffer, IoOptions options = {}) {
  return detail::OwnedAwaiter("recv", Opcode::kRecv, socket, std::move(buffer), 0, 0, options);
}
inline auto send_owned(int socket, Buffer buffer, IoOptions options = {}) {
  return detail::OwnedAwaiter("send", Opcode::kSend, socket, std::move(buffer), MSG_NOSIGNAL, 0, options);
}
inline auto read_owned(int file, Buffer buffer, std::uint64_t offset = kCurrentPosition, IoOptions options = {}) {
  return detail::OwnedAwaiter("read", Opcode::kRead, file, std::move(buffer), 0, offset, options);
}
inline auto write_owned(int file, Buffer buffer, std::uint64_t offset = kCurrentPosition, IoOptions options = {}) {
  return detail::OwnedAwaiter("write", Opcode::kWrite, file, std::move(buffer), 0, offset, options);
}

// See recvmsg and sendmsg. An abandoned recvmsg closes the descriptors that it yet receives.
//
//     OwnedMessageResult sent = co_await sendmsg_owned(socket, std::move(message));
inline auto recvmsg_owned(int socket, OwnedMessage message, std::uint32_t flags = 0, IoOptions options = {}) {
  return detail::OwnedMessageAwaiter("recvmsg", Opcode::kRecvmsg, socket, std::move(message), flags | MSG_CMSG_CLOEXEC,
                                     options);
}
inline auto sendmsg_owned(int socket, OwnedMessage message, std::uint32_t flags = 0, IoOptions options = {}) {
  return detail::OwnedMessageAwaiter("sendmsg", Opcode::kSendmsg, socket, std::move(message), flags | MSG_NOSIGNAL,
                                     options);
}

}  // namespace wharf::runtime
