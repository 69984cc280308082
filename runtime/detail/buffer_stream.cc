#include "wharf/runtime/detail/buffer_stream.h"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <span>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/detail/message_buffer.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime::detail {

class BufferStream::Operation final : public Abandonable {
 public:
  Operation(BufferStream& stream, int socket, bool many) noexcept
      : stream_(stream), kind_(stream.kind_), pool_(stream.pool_), many_(many) {
    pool_.acquire();
    fd = socket;
    if (kind_.head_bytes != 0) {
      room_.msg_namelen = static_cast<socklen_t>(kind_.head_bytes - sizeof(io_uring_recvmsg_out));
    }
  }
  ~Operation() override { pool_.release(); }

  void receive() noexcept {
    opcode = kind_.opcode;
    multishot = many_;
    flags = 0;
    memory = opcode == Opcode::kRecvmsg ? &room_ : nullptr;
    begin(pool_.group());
  }
  void poll() noexcept {
    opcode = Opcode::kPoll;
    multishot = false;
    flags = POLLIN | POLLRDHUP;
    begin(-1);
  }
  // Without waiting, and without the backend.
  std::int32_t receive_now(std::span<std::byte> buffer) const noexcept {
    if (kind_.opcode == Opcode::kRecvmsg) return receive_message(fd, room_, 0, buffer);
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return static_cast<std::int32_t>(sys::recvmsg(fd, &message, MSG_DONTWAIT));
  }

 private:
  void begin(std::int32_t group) noexcept {
    buffer_group = group;
    buffer_taken = -1;
    start(Reactor::current());
  }
  // The buffer of this completion.
  std::uint32_t arrived() noexcept {
    if (buffer_taken < 0) return BufferPool::kNone;
    pool_.taken_by_backend();
    return static_cast<std::uint32_t>(buffer_taken);
  }
  void on_result(std::int32_t result, bool more) noexcept override {
    if (opcode == Opcode::kPoll && result >= 0) {
      stream_.on_readable((result & POLLRDHUP) != 0);
    } else {
      stream_.on_received(result, more, arrived());
    }
  }
  void discard(std::int32_t /*result*/) noexcept override {
    const std::uint32_t index = arrived();
    if (index != BufferPool::kNone) {
      pool_.give_back(index);
    } else {
      pool_.pass_on();
    }
  }

  BufferStream& stream_;
  const Kind& kind_;
  BufferPool& pool_;
  const bool many_;
  msghdr room_{};  // kRecvmsg: for how long a source; the buffers are the group's
};

BufferStream::BufferStream(const Kind& kind, BufferGroup& group, std::uint32_t queued_max) noexcept
    : kind_(kind), pool_(group.pool()), queued_max_(queued_max != 0 ? queued_max : 1), queue_(pool_) {}

void BufferStream::open(int socket, bool many) {
  operation_ = new Operation(*this, socket, many);
  pool_.acquire();
}

void BufferStream::close() noexcept {
  if (operation_ == nullptr) return;
  BufferPool::remove(*this);
  std::exchange(operation_, nullptr)->abandon();
  queue_.clear();
  pool_.release();
  end(ECANCELED);
}

void BufferStream::end(int error) noexcept {
  ended_ = true;
  end_error_ = error;
  while (resume_first()) {
  }
}

void BufferStream::tell(int error) noexcept {
  error_ = error;
  resume_first();
}

// Gives the wait what is there. False: nothing is.
bool BufferStream::take(NextWait& wait) noexcept {
  if (!queue_.empty()) {
    wait.filled_ = queue_.pop();
  } else if (ended_) {
    wait.error_ = end_error_;
  } else if (error_ != 0) {
    wait.error_ = std::exchange(error_, 0);
  } else {
    return false;
  }
  wait.done_ = true;
  return true;
}

// False: nobody waits, or there is nothing to give.
bool BufferStream::resume_first() noexcept {
  coro::detail::Wait* const wait = waits_.first();
  if (wait == nullptr || !take(*static_cast<NextWait*>(wait))) return false;
  waits_.resume_first();
  return true;
}

void BufferStream::arm() noexcept {
  if (operation_->in_flight() || BufferPool::waits(*this)) return;
  if (pool_.group() >= 0) {
    operation_->receive();
  } else {
    operation_->poll();
  }
}

bool BufferStream::on_buffer_free() noexcept {
  if (waits_.empty() || operation_->in_flight()) return false;
  arm();
  return true;
}

// There is something to receive.
void BufferStream::on_readable(bool shut_down) noexcept {
  if (pool_.group() >= 0) {
    if (!waits_.empty()) on_no_buffer();
    return;
  }
  while (queue_.count() < queued_max_) {
    const std::uint32_t index = pool_.take();
    if (index == BufferPool::kNone) return on_ended(-ENOBUFS);
    const std::int32_t result = operation_->receive_now(pool_.memory(index));
    if (add(index, result)) continue;
    // That was all, or somebody else was faster. It is asked for again, unless the socket would be called readable for ever.
    if (result == -EAGAIN && shut_down) return;
    return on_ended(result == -EAGAIN ? -EINTR : result);
  }
  on_ended(-ECANCELED);
}

// What a receive has put into the buffer. False: nothing, and the buffer is free again.
bool BufferStream::add(std::uint32_t index, std::int32_t result) noexcept {
  if (result <= 0 || static_cast<std::size_t>(result) < kind_.head_bytes) {
    pool_.give_back(index);
    return false;
  }
  queue_.push(index, static_cast<std::uint32_t>(result));
  resume_first();
  return true;
}

void BufferStream::on_received(std::int32_t result, bool more, std::uint32_t index) noexcept {
  const bool added = index != BufferPool::kNone && add(index, result);
  if (more) {
    if (queue_.count() >= queued_max_) operation_->cancel();
    return;
  }
  on_ended(added ? -ECANCELED : result);
  // Whoever waits next was not told of a buffer that this one was to take.
  if (index == BufferPool::kNone) pool_.pass_on();
}

// Nothing is in flight. Receiving goes on if somebody waits.
void BufferStream::on_ended(std::int32_t result) noexcept {
  const bool no_buffer = result == -ENOBUFS;
  // ECANCELED: this object's own doing, because the queue was full.
  if (!no_buffer && result != -ECANCELED && result != -EINTR) on_end(result);
  if (waits_.empty()) return;
  if (no_buffer && pool_.group() >= 0 && pool_.free_count() == 0) {
    // The kernel takes a buffer before it looks whether there is something to receive.
    operation_->poll();
  } else if (no_buffer) {
    on_no_buffer();
  } else {
    arm();
  }
}

// There is something to receive, but there was no buffer for it.
void BufferStream::on_no_buffer() noexcept {
  if (pool_.free_count() == 0) {
    pool_.wait(*this);
  } else {
    arm();  // some have come back meanwhile
  }
}

void BufferStream::NextWait::describe_wait(std::string& text, std::int64_t now_ns) const {
  text += kind_.wait;
  text += " fd " + std::to_string(stream_.operation_->fd);
  describe_time_left(text, now_ns);
}

Status BufferStream::NextWait::status() const {
  if (!done_) return interruption(kind_.operation);
  if (error_ == ECANCELED) {
    return make_status(StatusCode::kCancelled, std::string(kind_.operation) + ": the stream was closed");
  }
  return errno_status(error_, kind_.operation, error_ == EINVAL ? kind_.invalid_remedy : "");
}

}  // namespace wharf::runtime::detail
