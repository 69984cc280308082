// BufferStream: what RecvStream and DatagramStream have in common: one operation that receives from a socket into the buffers of
// a pool, a queue of those with data in them, and the tasks that wait for the next one.
//
// Where the backend takes buffers by itself the operation is a receive, which ends when there is none; elsewhere it is a poll,
// and the stream takes buffers when there is something to receive. A stream waits for a buffer (BufferPool::wait) only when
// there is: one that has nothing to put there would keep the buffer's news from those that have.
//
// Threads: the reactor's.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/coro/detail/wait.h"
#include "wharf/runtime/backend.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/detail/buffer_queue.h"
#include "wharf/runtime/detail/timed_wait.h"

namespace wharf::runtime::detail {

class BufferStream : private BufferWaiter {
 public:
  // What tells the streams apart.
  struct Kind {
    const char* operation;            // in messages
    const char* wait;                 // in dumps
    Opcode opcode;                    // kRecv or kRecvmsg
    std::size_t head_bytes;           // of a buffer, before the data: see message_buffer.h; kRecv: 0
    const char* invalid_remedy = "";  // of EINVAL
  };
  BufferStream(const BufferStream&) = delete;
  BufferStream& operator=(const BufferStream&) = delete;

  void close() noexcept;

  // A task that waits in next(). The stream may be gone when it goes on.
  class NextWait : protected TimedWait {
   public:
    static constexpr const char* kWaitsFor = "";
    void describe_wait(std::string& text, std::int64_t now_ns) const;
    bool await_ready() noexcept { return stream_.take(*this); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
      if (!suspend(handle, stream_.waits_, site, *this)) return false;
      stream_.arm();
      return true;
    }

   protected:
    NextWait(BufferStream& stream, IoOptions options) noexcept
        : TimedWait(options), stream_(stream), kind_(stream.kind_) {}
    ~NextWait() override = default;

    Status status() const;
    // With the status OK; false: the end.
    ReceivedBuffer take_filled() noexcept { return std::move(filled_); }

   private:
    friend BufferStream;
    BufferStream& stream_;
    const Kind& kind_;
    ReceivedBuffer filled_;
    bool done_ = false;
    int error_ = 0;  // an errno
  };

 protected:
  // `kind` lives as long as the program. `queued_max`: buffers that wait to be asked for; 0 is 1.
  BufferStream(const Kind& kind, BufferGroup& group, std::uint32_t queued_max) noexcept;
  ~BufferStream() { close(); }

  // Makes the operation, once; it starts with the first wait. `many`: a receive goes on after the first result.
  void open(int socket, bool many);
  // What every later wait gives, once the queue is empty: an errno, or 0, the end.
  void end(int error) noexcept;
  // What the next one gives.
  void tell(int error) noexcept;

 private:
  class Operation;

  // The receive has ended with `result`, minus an errno or 0, for good or not: end(), tell(), or neither.
  virtual void on_end(std::int32_t result) noexcept = 0;

  bool take(NextWait& wait) noexcept;
  bool resume_first() noexcept;
  void arm() noexcept;
  bool on_buffer_free() noexcept override;
  void on_readable(bool shut_down) noexcept;
  bool add(std::uint32_t index, std::int32_t result) noexcept;
  void on_received(std::int32_t result, bool more, std::uint32_t index) noexcept;
  void on_ended(std::int32_t result) noexcept;
  void on_no_buffer() noexcept;

  const Kind& kind_;
  BufferPool& pool_;
  const std::uint32_t queued_max_;
  bool ended_ = false;
  int end_error_ = 0;
  int error_ = 0;  // that nobody has been told yet
  BufferQueue queue_;
  coro::detail::WaitList waits_;
  Operation* operation_ = nullptr;  // its own, and the reactor's once it is abandoned; null: closed
};

// What next() gives: the buffer as a T.
template <class T>
class [[nodiscard]] NextAwaiter final : public BufferStream::NextWait {
 public:
  NextAwaiter(BufferStream& stream, IoOptions options) noexcept : NextWait(stream, options) {}
  StatusOr<T> await_resume() {
    Status ended = status();
    if (!ended.ok()) return ended;
    return T(take_filled());
  }
};

}  // namespace wharf::runtime::detail
