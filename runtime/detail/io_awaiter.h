// IoAwaiter: the state of one awaited operation. It lives in the frame that awaits it, and ties the
// operation to that task's stop token and to a deadline. The public forms are in io.h.
//
// Threads: the reactor's.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "wharf/coro/executor.h"
#include "wharf/coro/stop_token.h"
#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/check.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/timer.h"

namespace wharf::runtime {

struct IoOptions {
  std::int64_t deadline_ns = kNever;  // on the reactor's clock
};

namespace detail {

inline constexpr std::size_t kTransferBytesMax = std::size_t{1} << 30;  // of one operation; more is short

class IoAwaiter : protected Operation, private coro::StopCallback, private Timer {
 public:
  static bool await_ready() noexcept { return false; }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    if (!begin(handle.promise())) return false;
    frame_->note_wait(site, *this);
    return true;
  }
  static constexpr const char* kWaitsFor = "";
  void describe_wait(std::string& text, std::int64_t now_ns) const;

 protected:
  // `name` is that of the operation in messages, and outlives the awaiter.
  IoAwaiter(const char* name, Opcode operation, int file, IoOptions options) noexcept;
  ~IoAwaiter() override {
    WHARF_CHECK(!in_flight(), "an awaiter was destroyed while the kernel still works on its operation: join the task");
  }

  void set_memory(const void* address, std::size_t bytes) noexcept;
  // In await_ready(), which gives true then: the operation is not started, and fails with `error`, an errno.
  void refuse(int error) noexcept { result_ = -error; }
  // From here on neither a stop nor a deadline ends the operation.
  void make_uncancellable() noexcept { cancellable_ = false; }

  const char* name() const noexcept { return name_; }
  // What the operation gave, if it succeeded: 0 or more.
  std::int32_t result() const noexcept { return result_; }
  bool ok() const noexcept { return result_ >= 0; }
  Status status() const;

 private:
  enum class Interrupted : std::uint8_t { kNo, kStopped, kDeadline };

  bool begin(coro::Frame& frame) noexcept;
  void interrupt(Interrupted reason) noexcept;
  void on_complete(std::int32_t result, bool more) noexcept override;
  void on_stop() noexcept override;
  void on_expired() noexcept override;

  const char* name_;
  std::int64_t deadline_ns_;
  coro::Frame* frame_;  // these two once it has begun
  Backend* backend_;
  std::int32_t result_ = 0;
  bool cancellable_ = true;
  Interrupted interrupted_ = Interrupted::kNo;
};

// An operation whose result is a count of bytes.
class [[nodiscard]] BytesAwaiter final : public IoAwaiter {
 public:
  BytesAwaiter(const char* name, Opcode operation, int file, const void* address, std::size_t bytes,
               std::uint32_t operation_flags, std::uint64_t position, IoOptions options) noexcept
      : IoAwaiter(name, operation, file, options) {
    set_memory(address, bytes);
    flags = operation_flags;
    offset = position;
  }
  StatusOr<std::size_t> await_resume() const {
    if (!ok()) return status();
    return static_cast<std::size_t>(result());
  }
};

// An operation that gives nothing but success.
class [[nodiscard]] StatusAwaiter : public IoAwaiter {
 public:
  StatusAwaiter(const char* name, Opcode operation, int file, std::uint32_t operation_flags, IoOptions options) noexcept
      : IoAwaiter(name, operation, file, options) {
    flags = operation_flags;
  }
  Status await_resume() const { return status(); }
};

class [[nodiscard]] ConnectAwaiter final : public StatusAwaiter {
 public:
  ConnectAwaiter(int socket, const void* address, std::size_t bytes, IoOptions options) noexcept
      : StatusAwaiter("connect", Opcode::kConnect, socket, 0, options) {
    set_memory(address, bytes);
  }
};

class [[nodiscard]] SpliceAwaiter final : public IoAwaiter {
 public:
  SpliceAwaiter(int source, std::uint64_t source_offset, SpliceRequest request, IoOptions options) noexcept
      : IoAwaiter("splice", Opcode::kSplice, source, options), request_(request) {
    offset = source_offset;
    request_.bytes = std::min(request_.bytes, kTransferBytesMax);
  }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    set_memory(&request_, sizeof(request_));
    return IoAwaiter::await_suspend(handle, site);
  }
  StatusOr<std::size_t> await_resume() const {
    if (!ok()) return status();
    return static_cast<std::size_t>(result());
  }

 private:
  SpliceRequest request_;
};

class [[nodiscard]] AcceptAwaiter final : public IoAwaiter {
 public:
  AcceptAwaiter(int listener, std::uint32_t socket_flags, IoOptions options) noexcept
      : IoAwaiter("accept", Opcode::kAccept, listener, options) {
    flags = socket_flags;
  }
  StatusOr<UniqueFd> await_resume() const {
    if (!ok()) return status();
    return UniqueFd(result());
  }
};

class [[nodiscard]] PollAwaiter final : public IoAwaiter {
 public:
  PollAwaiter(int file, std::uint32_t events, IoOptions options) noexcept
      : IoAwaiter("poll", Opcode::kPoll, file, options) {
    flags = events;
  }
  StatusOr<std::uint32_t> await_resume() const {
    if (!ok()) return status();
    return static_cast<std::uint32_t>(result());
  }
};

class [[nodiscard]] CloseAwaiter final : public IoAwaiter {
 public:
  explicit CloseAwaiter(UniqueFd file) noexcept
      : IoAwaiter("close", Opcode::kClose, file.get(), IoOptions{}), file_(std::move(file)) {
    make_uncancellable();
  }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    static_cast<void>(file_.release());  // the operation closes it from here on
    return IoAwaiter::await_suspend(handle, site);
  }
  Status await_resume() const { return status(); }

 private:
  UniqueFd file_;  // until the operation starts
};

}  // namespace detail
}  // namespace wharf::runtime
