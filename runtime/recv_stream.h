// RecvStream: everything that a socket receives, piece by piece, in buffers that it shares with other sockets.
//
//     StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 256, 16384);
//     RecvStream stream(connection.fd(), *group);
//     for (;;) {
//       StatusOr<ReceivedBuffer> piece = co_await stream.next();
//       if (!piece.ok() || !*piece) break;                       // an error, or the end
//       use(piece->bytes());
//     }
//
// One multishot receive feeds a queue: a busy socket costs no submission for each piece. It ends when the queue is full, so
// that further data waits in the socket, and when the group has no free buffer; then the stream waits for one, and the group
// serves those that wait in turn.
//
// Ownership: the socket is borrowed until close(); nobody else receives from it meanwhile.
// Threads:   the reactor's.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "wharf/coro/detail/wait.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/detail/buffer_queue.h"

namespace wharf::runtime {

struct RecvStreamOptions {
  std::uint32_t queued_max =
      4;  // pieces that wait to be asked for; when they do, the socket is left alone
};

class RecvStream final : private detail::BufferWaiter {
 public:
  // Of a stream socket, or a connected datagram socket: then each piece is a datagram, cut to the size of a buffer, and
  // datagrams of no bytes are left out. Receiving starts with the first next().
  RecvStream(int socket, BufferGroup& group, RecvStreamOptions options = {});
  RecvStream(const RecvStream&) = delete;
  RecvStream& operator=(const RecvStream&) = delete;
  // As close() does.
  ~RecvStream() { close(); }

  // Tasks that wait in next() go on, as Cancelled, and what was queued is lost. Nothing of the stream stays in flight.
  void close() noexcept;

  class [[nodiscard]] NextAwaiter final : private coro::detail::Wait {
   public:
    explicit NextAwaiter(RecvStream& stream) noexcept : stream_(stream) {}
    static constexpr const char* kWaitsFor = "RecvStream::next";
    bool await_ready() noexcept { return stream_.take(*this); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle,
                       coro::Site site = coro::Site::current()) noexcept {
      stream_.arm();
      return suspend(handle, stream_.waits_, site, *this);
    }
    StatusOr<ReceivedBuffer> await_resume();

   private:
    friend RecvStream;
    RecvStream& stream_;
    ReceivedBuffer buffer_;
    bool done_ = false;
    int error_ = 0;  // an errno
  };

  // The next piece; one that is false is the end of the stream, which every later call gives again. Tasks that wait are
  // served in their order.
  //
  // Errors: Cancelled    the task was stopped, or the stream closed
  //         any other    errno_status() of recv; every later call gives the same
  // Cancel: honoured; takes nothing.
  NextAwaiter next() noexcept { return NextAwaiter(*this); }

 private:
  class Operation;
  using Pool = detail::BufferPool;

  bool take(NextAwaiter& awaiter) noexcept;
  void arm() noexcept;
  bool on_buffer_free() noexcept override;
  void on_readable() noexcept;
  void on_received(std::int32_t result, bool more, std::uint32_t index) noexcept;
  void on_data(std::uint32_t index, std::uint32_t bytes) noexcept;
  void on_end(int error) noexcept;

  Pool* pool_;
  const std::uint32_t queued_max_;
  const bool datagrams_;
  bool ended_ = false;
  int error_ = 0;  // once it has ended: an errno, or 0
  detail::BufferQueue queue_;
  coro::detail::WaitList waits_;
  Operation* operation_;  // its own, and the reactor's once it is abandoned; null: closed
};

}  // namespace wharf::runtime
