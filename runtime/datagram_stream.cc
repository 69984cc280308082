#include "wharf/runtime/datagram_stream.h"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/detail/message_buffer.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {
namespace {

// A buffer holds this, then room for the source, then the datagram: see message_buffer.h.
using Head = io_uring_recvmsg_out;
constexpr std::size_t kSourceBytesMax = DatagramStream::kHeaderBytes - sizeof(Head);
static_assert(kSourceBytesMax >= sizeof(sockaddr_un) && kSourceBytesMax >= sizeof(sockaddr_in6));

Head head_of(std::span<const std::byte> filled) noexcept {
  Head head{};
  if (filled.size() >= sizeof(head)) std::memcpy(&head, filled.data(), sizeof(head));
  return head;
}

}  // namespace

std::span<std::byte> ReceivedDatagram::bytes() const noexcept {
  if (!filled_) return {};
  return filled_.bytes().subspan(DatagramStream::kHeaderBytes);
}

bool ReceivedDatagram::cut() const noexcept {
  return (head_of(filled_.bytes()).flags & MSG_TRUNC) != 0;
}

Address ReceivedDatagram::source() const noexcept {
  const socklen_t bytes = head_of(filled_.bytes()).namelen;
  if (bytes == 0 || bytes > kSourceBytesMax) return {};
  sockaddr_storage source{};
  std::memcpy(&source, filled_.bytes().data() + sizeof(Head), bytes);
  return Address::from(reinterpret_cast<const sockaddr*>(&source), bytes);
}

class DatagramStream::Operation final : public detail::Abandonable {
 public:
  Operation(DatagramStream& stream, int socket) noexcept : stream_(stream), pool_(*stream.pool_) {
    pool_.acquire();
    fd = socket;
    room_.msg_namelen = kSourceBytesMax;
    buffer_group = pool_.group();
    if (buffer_group >= 0) {
      opcode = Opcode::kRecvmsg;
      multishot = true;
      memory = &room_;
    } else {
      opcode = Opcode::kPoll;
      flags = POLLIN | POLLRDHUP;
    }
  }
  ~Operation() override { pool_.release(); }

  std::int32_t receive_into(std::span<std::byte> buffer) const noexcept {
    return detail::receive_message(fd, room_, 0, buffer);
  }

 private:
  // The buffer of this completion.
  std::uint32_t arrived() noexcept {
    if (buffer_taken < 0) return Pool::kNone;
    pool_.taken_by_backend();
    return static_cast<std::uint32_t>(buffer_taken);
  }
  void on_result(std::int32_t result, bool more) noexcept override {
    if (buffer_group < 0 && result >= 0) {
      stream_.on_readable((result & POLLRDHUP) != 0);
    } else {
      stream_.on_received(result, more, arrived());
    }
  }
  void discard(std::int32_t /*result*/) noexcept override {
    const std::uint32_t index = arrived();
    if (index != Pool::kNone) pool_.give_back(index);
  }

  DatagramStream& stream_;
  Pool& pool_;
  msghdr room_{};  // for how long a source; the buffers are the group's
};

DatagramStream::DatagramStream(int socket, BufferGroup& group, DatagramStreamOptions options)
    : pool_(&group.pool()),
      queued_max_(options.queued_max != 0 ? options.queued_max : 1),
      queue_(*pool_) {
  if (pool_->memory(0).size() <= kHeaderBytes) {
    closed_error_ = EINVAL;
    return;
  }
  operation_ = new Operation(*this, socket);
  pool_->acquire();
}

void DatagramStream::close() noexcept {
  if (operation_ == nullptr) return;
  Pool::remove(*this);
  std::exchange(operation_, nullptr)->abandon();
  closed_error_ = ECANCELED;
  queue_.clear();
  pool_->release();
  while (resume_first()) {
  }
}

// Gives the awaiter what is there. False: nothing is.
bool DatagramStream::take(NextAwaiter& awaiter) noexcept {
  if (!queue_.empty()) {
    awaiter.filled_ = queue_.pop();
  } else if (operation_ == nullptr) {
    awaiter.error_ = closed_error_;
  } else if (error_ != 0) {
    awaiter.error_ = std::exchange(error_, 0);
  } else {
    return false;
  }
  awaiter.done_ = true;
  return true;
}

// False: nobody waits, or there is nothing to give.
bool DatagramStream::resume_first() noexcept {
  coro::detail::Wait* const wait = waits_.first();
  if (wait == nullptr || !take(*static_cast<NextAwaiter*>(wait))) return false;
  waits_.resume_first();
  return true;
}

void DatagramStream::arm() noexcept {
  if (operation_->in_flight() || Pool::waits(*this)) return;
  operation_->start(Reactor::current());
}

bool DatagramStream::on_buffer_free() noexcept {
  if (waits_.empty() || operation_->in_flight()) return false;
  arm();
  return true;
}

// Without a group of the backend's: the socket is readable, so that a buffer is worth taking.
void DatagramStream::on_readable(bool shut_down) noexcept {
  std::int32_t result = 0;
  while (result >= 0 && queue_.count() < queued_max_) {
    const std::uint32_t index = pool_->take();
    if (index == Pool::kNone) {
      result = -ENOBUFS;
      break;
    }
    result = operation_->receive_into(pool_->memory(index));
    if (result >= 0) {
      on_datagram(index, static_cast<std::uint32_t>(result));
    } else {
      pool_->give_back(index);
    }
  }
  // That was all, or somebody else was faster. It is asked for again, unless the socket would be called readable for ever.
  if (result == -EAGAIN && shut_down) return;
  on_ended(result == -EAGAIN ? -EINTR : result);
}

void DatagramStream::on_received(std::int32_t result, bool more, std::uint32_t index) noexcept {
  if (index != Pool::kNone) {
    if (result >= static_cast<std::int32_t>(kHeaderBytes)) {
      on_datagram(index, static_cast<std::uint32_t>(result));
    } else {
      pool_->give_back(index);
    }
  }
  if (!more) {
    on_ended(result);
  } else if (queue_.count() >= queued_max_) {
    operation_->cancel();
  }
}

void DatagramStream::on_datagram(std::uint32_t index, std::uint32_t bytes) noexcept {
  queue_.push(index, bytes);
  resume_first();
}

// Nothing is in flight. Receiving goes on if somebody waits.
void DatagramStream::on_ended(std::int32_t result) noexcept {
  // ECANCELED: this object's own doing, because the queue was full.
  const bool no_buffer = result == -ENOBUFS;
  if (result < 0 && !no_buffer && result != -ECANCELED && result != -EINTR) {
    error_ = -result;
    resume_first();
  }
  if (waits_.empty()) return;
  if (no_buffer && pool_->free_count() == 0) {
    pool_->wait(*this);
  } else {
    arm();
  }
}

bool DatagramStream::NextAwaiter::late() noexcept {
  expired_ = deadline_ns_ != kNever && deadline_ns_ <= Reactor::current().now_ns();
  return expired_;
}

void DatagramStream::NextAwaiter::on_expired() noexcept {
  if (!waiting()) return;  // it has been served, and is about to go on
  expired_ = true;
  leave();
}

StatusOr<ReceivedDatagram> DatagramStream::NextAwaiter::await_resume() {
  if (done_ && error_ == 0) return ReceivedDatagram(std::move(filled_));
  if (done_ && error_ == ECANCELED) {
    return make_status(StatusCode::kCancelled, "recvmsg: the stream was closed");
  }
  if (done_) return errno_status(error_, "recvmsg");
  if (expired_) {
    return make_status(StatusCode::kDeadlineExceeded, "recvmsg: the deadline has passed");
  }
  return make_status(StatusCode::kCancelled, "recvmsg: the task was stopped");
}

}  // namespace wharf::runtime
