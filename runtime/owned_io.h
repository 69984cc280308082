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
// Cost:      an allocation beside the buffer's.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

struct OwnedResult {
  StatusOr<std::size_t> count;
  Buffer buffer;  // empty if the operation was abandoned
};

namespace detail {

class [[nodiscard]] OwnedAwaiter final : private coro::StopCallback, private Timer {
 public:
  OwnedAwaiter(const char* name, Opcode opcode, int file, Buffer buffer, std::uint32_t flags,
               std::uint64_t offset, IoOptions options);
  OwnedAwaiter(const OwnedAwaiter&) = delete;
  OwnedAwaiter& operator=(const OwnedAwaiter&) = delete;
  ~OwnedAwaiter() override;

  static constexpr const char* kWaitsFor = "";
  void describe_wait(std::string& text, std::int64_t now_ns) const;
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle,
                     coro::Site site = coro::Site::current()) noexcept {
    if (!begin(handle.promise())) return false;
    frame_->note_wait(site, *this);
    return true;
  }
  OwnedResult await_resume();

 private:
  class Owned;

  bool begin(coro::Frame& frame) noexcept;
  void finish(std::int32_t result) noexcept;
  void give_up(StatusCode reason) noexcept;
  void on_stop() noexcept override { give_up(StatusCode::kCancelled); }
  void on_expired() noexcept override { give_up(StatusCode::kDeadlineExceeded); }

  const char* name_;
  std::int64_t deadline_ns_;
  Owned* operation_;  // null: abandoned
  coro::Frame* frame_ = nullptr;
  std::int32_t result_ = 0;
  StatusCode given_up_ = StatusCode::kOk;
};

}  // namespace detail

// Up to buffer.size() bytes; see recv, send, read and write.
inline auto recv_owned(int socket, Buffer buffer, IoOptions options = {}) {
  return detail::OwnedAwaiter("recv", Opcode::kRecv, socket, std::move(buffer), 0, 0, options);
}
inline auto send_owned(int socket, Buffer buffer, IoOptions options = {}) {
  return detail::OwnedAwaiter("send", Opcode::kSend, socket, std::move(buffer), MSG_NOSIGNAL, 0,
                              options);
}
inline auto read_owned(int file, Buffer buffer, std::uint64_t offset = kCurrentPosition,
                       IoOptions options = {}) {
  return detail::OwnedAwaiter("read", Opcode::kRead, file, std::move(buffer), 0, offset, options);
}
inline auto write_owned(int file, Buffer buffer, std::uint64_t offset = kCurrentPosition,
                        IoOptions options = {}) {
  return detail::OwnedAwaiter("write", Opcode::kWrite, file, std::move(buffer), 0, offset, options);
}

}  // namespace wharf::runtime
