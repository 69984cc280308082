#include "wharf/runtime/recv_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {
namespace {

int socket_option(int socket, int name) noexcept {
  int value = 0;
  socklen_t bytes = sizeof(value);
  return sys::getsockopt(socket, SOL_SOCKET, name, &value, &bytes) == 0 ? value : 0;
}

}  // namespace

class RecvStream::Operation final : public detail::Abandonable {
 public:
  Operation(RecvStream& stream, int socket) noexcept : stream_(stream), pool_(*stream.pool_) {
    pool_.acquire();
    fd = socket;
    buffer_group = pool_.group();
    opcode = buffer_group >= 0 ? Opcode::kRecv : Opcode::kPoll;
    flags = buffer_group >= 0 ? 0 : POLLIN;
    // Unix sockets: a multishot receive may lose the end of the stream there (liburing issue 1549).
    multishot = buffer_group >= 0 && socket_option(socket, SO_DOMAIN) != AF_UNIX;
  }
  ~Operation() override { pool_.release(); }

 private:
  // The buffer of this completion.
  std::uint32_t arrived() noexcept {
    if (buffer_taken < 0) return Pool::kNone;
    pool_.taken_by_backend();
    return static_cast<std::uint32_t>(buffer_taken);
  }
  void on_result(std::int32_t result, bool more) noexcept override {
    if (buffer_group < 0 && result >= 0) {
      stream_.on_readable();
    } else {
      stream_.on_received(result, more, arrived());
    }
  }
  void discard(std::int32_t /*result*/) noexcept override {
    const std::uint32_t index = arrived();
    if (index != Pool::kNone) pool_.give_back(index);
  }

  RecvStream& stream_;
  Pool& pool_;
};

RecvStream::RecvStream(int socket, BufferGroup& group, RecvStreamOptions options)
    : pool_(&group.pool()),
      queued_max_(options.queued_max != 0 ? options.queued_max : 1),
      datagrams_(socket_option(socket, SO_TYPE) == SOCK_DGRAM),
      queue_(*pool_),
      operation_(new Operation(*this, socket)) {
  pool_->acquire();
}

void RecvStream::close() noexcept {
  if (operation_ == nullptr) return;
  Pool::remove(*this);
  std::exchange(operation_, nullptr)->abandon();
  queue_.clear();
  pool_->release();
  ended_ = false;
  on_end(ECANCELED);
}

// Gives the awaiter what is there. False: nothing is.
bool RecvStream::take(NextAwaiter& awaiter) noexcept {
  if (!queue_.empty()) {
    awaiter.buffer_ = queue_.pop();
  } else if (ended_) {
    awaiter.error_ = error_;
  } else {
    return false;
  }
  awaiter.done_ = true;
  return true;
}

void RecvStream::arm() noexcept {
  if (operation_->in_flight() || Pool::waits(*this)) return;
  operation_->start(Reactor::current());
}

bool RecvStream::on_buffer_free() noexcept {
  if (waits_.empty() || operation_->in_flight()) return false;
  arm();
  return true;
}

// Without a group of the backend's: the socket is readable, so that a buffer is worth taking.
void RecvStream::on_readable() noexcept {
  const std::uint32_t index = pool_->take();
  if (index == Pool::kNone) return on_received(-ENOBUFS, false, Pool::kNone);
  const std::span<std::byte> memory = pool_->memory(index);
  iovec part{memory.data(), memory.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const ssize_t received = sys::recvmsg(operation_->fd, &message, MSG_DONTWAIT);
  // EAGAIN: somebody was faster, or there was nothing in the end. It is asked for again.
  on_received(received == -EAGAIN ? -EINTR : static_cast<std::int32_t>(received), false, index);
}

void RecvStream::on_received(std::int32_t result, bool more, std::uint32_t index) noexcept {
  if (result > 0) {
    on_data(index, static_cast<std::uint32_t>(result));
    if (more) {
      if (queue_.count() >= queued_max_) operation_->cancel();
    } else if (!waits_.empty()) {
      arm();
    }
    return;
  }
  if (index != Pool::kNone) pool_->give_back(index);
  const bool empty_datagram = result == 0 && datagrams_;
  // ECANCELED: this object's own doing, because the queue was full.
  if (empty_datagram || result == -ECANCELED || result == -EINTR) {
    if (!more && !waits_.empty()) arm();
  } else if (result == -ENOBUFS && pool_->free_count() == 0) {
    if (!waits_.empty()) pool_->wait(*this);
  } else if (result == -ENOBUFS) {
    if (!waits_.empty()) arm();  // some have come back meanwhile
  } else {
    on_end(-result);
  }
}

void RecvStream::on_data(std::uint32_t index, std::uint32_t bytes) noexcept {
  queue_.push(index, bytes);
  if (coro::detail::Wait* wait = waits_.first(); wait != nullptr) {
    take(*static_cast<NextAwaiter*>(wait));
    waits_.resume_first();
  }
}

void RecvStream::on_end(int error) noexcept {
  ended_ = true;
  error_ = error;
  while (coro::detail::Wait* wait = waits_.first()) {
    take(*static_cast<NextAwaiter*>(wait));
    waits_.resume_first();
  }
}

StatusOr<ReceivedBuffer> RecvStream::NextAwaiter::await_resume() {
  if (!done_) return make_status(StatusCode::kCancelled, "recv: the task was stopped");
  if (error_ == 0) return std::move(buffer_);
  if (error_ == ECANCELED) {
    return make_status(StatusCode::kCancelled, "recv: the stream was closed");
  }
  return errno_status(error_, "recv");
}

}  // namespace wharf::runtime
