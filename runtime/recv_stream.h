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

#include <cstdint>

#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/detail/buffer_stream.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

struct RecvStreamOptions {
  std::uint32_t queued_max = 4;  // pieces that wait to be asked for; when they do, the socket is left alone
};

class RecvStream final : private detail::BufferStream {
 public:
  // Of a stream socket, or a connected datagram socket: then each piece is a datagram, cut to the size of a buffer, and
  // datagrams of no bytes are left out, and there is no end: when the socket was shut down, and all that had come is
  // received, next() waits for ever, as the kernel would. Receiving starts with the first next().
  RecvStream(int socket, BufferGroup& group, RecvStreamOptions options = {});
  RecvStream(const RecvStream&) = delete;
  RecvStream& operator=(const RecvStream&) = delete;
  // As close() does.
  ~RecvStream() = default;

  // Tasks that wait in next() go on, as Cancelled, and what was queued is lost. Nothing of the stream stays in flight.
  using BufferStream::close;

  using NextAwaiter = detail::NextAwaiter<ReceivedBuffer>;
  // The next piece; one that is false is the end of the stream, which every later call gives again. Tasks that wait are
  // served in their order. A piece that is queued already is given whatever the deadline.
  //
  // Units:  deadline_ns on the reactor's clock.
  // Errors: Cancelled         the task was stopped, or the stream closed
  //         DeadlineExceeded  the deadline has passed
  //         any other         errno_status() of recv; every later call gives the same
  // Cancel: honoured; takes nothing.
  NextAwaiter next(IoOptions options = {}) noexcept { return {*this, options}; }

 private:
  void on_end(std::int32_t result) noexcept override;

  const bool datagrams_;
};

}  // namespace wharf::runtime
