// DatagramStream: every datagram that a socket receives, with who sent it, in buffers that it shares with other sockets.
//
//     StatusOr<BufferGroup> group = BufferGroup::create(Reactor::current(), 256, DatagramStream::kHeaderBytes + 1500);
//     DatagramStream datagrams(socket.fd(), *group);
//     for (;;) {
//       StatusOr<ReceivedDatagram> asked = co_await datagrams.next();
//       if (!asked.ok()) break;
//       use(asked->bytes(), asked->source());
//     }
//
// One multishot receive feeds a queue: a busy socket costs no submission for each datagram. It ends when the queue is full,
// and when the group has no free buffer; then the stream waits for one, and the group serves those that wait in turn.
// Meanwhile datagrams wait in the socket, up to its SO_RCVBUF; the kernel drops what does not fit, as it does for any receiver
// that is too slow. Where the backend takes no buffers by itself, the stream takes one when the socket is readable.
//
// Datagrams have no end: of a socket that has been shut down, next() waits for ever, as the kernel would.
//
// Ownership: the socket is borrowed until close(); nobody else receives from it meanwhile.
// Threads:   the reactor's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "wharf/runtime/address.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/detail/buffer_stream.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

// Gives its buffer back to the group when it dies.
class [[nodiscard]] ReceivedDatagram {
 public:
  ReceivedDatagram() noexcept = default;
  // A buffer as DatagramStream fills it.
  explicit ReceivedDatagram(ReceivedBuffer filled) noexcept : filled_(std::move(filled)) {}

  // A datagram may be empty.
  std::span<std::byte> bytes() const noexcept;
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(bytes().data()), bytes().size()}; }
  // It was longer than the buffer, and the rest is lost.
  bool cut() const noexcept;
  // Who sent it; family() AF_UNSPEC: a Unix socket without a name.
  Address source() const noexcept;
  void reset() noexcept { filled_.reset(); }

 private:
  ReceivedBuffer filled_;  // what the kernel says about it, the source, and the bytes
};

struct DatagramStreamOptions {
  std::uint32_t queued_max = 16;  // datagrams that wait to be asked for; when they do, the socket is left alone
};

class DatagramStream final : private detail::BufferStream {
 public:
  // What a buffer of the group holds beside the datagram.
  static constexpr std::size_t kHeaderBytes = 128;

  // Of a datagram socket, UDP or Unix, connected or not. Receiving starts with the first next().
  DatagramStream(int socket, BufferGroup& group, DatagramStreamOptions options = {});
  DatagramStream(const DatagramStream&) = delete;
  DatagramStream& operator=(const DatagramStream&) = delete;
  // As close() does.
  ~DatagramStream() = default;

  // Tasks that wait in next() go on, as Cancelled, and what was queued is lost. Nothing of the stream stays in flight.
  using BufferStream::close;

  using NextAwaiter = detail::NextAwaiter<ReceivedDatagram>;
  // The next datagram. Tasks that wait are served in their order. One that is queued already is given whatever the deadline.
  //
  // Units:  deadline_ns on the reactor's clock.
  // Errors: Cancelled         the task was stopped, or the stream closed
  //         DeadlineExceeded  the deadline has passed
  //         InvalidArgument   the group's buffers have no room for more than the header
  //         any other         errno_status() of recvmsg. The next call goes on: a datagram that could not be delivered
  //                           earlier, for one, is told of once, as Unavailable (ECONNREFUSED)
  // Cancel: honoured; takes nothing.
  NextAwaiter next(IoOptions options = {}) noexcept { return {*this, options}; }

 private:
  void on_end(std::int32_t result) noexcept override;
};

}  // namespace wharf::runtime
