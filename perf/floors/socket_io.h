// The two ways in which the socket floors send and receive bytes: blocking calls, and io_uring. post() begins to send, flush()
// ends when all posted bytes are out of the caller's hands, receive() gives what has come, at least one byte.
//
// Threads: one. Made in the process that uses it.
#pragma once

#include <liburing.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "wharf/perf/contest/contest.h"

namespace wharf::perf {

class BlockingIo {
 public:
  static constexpr std::size_t kPostsMax = 1;

  explicit BlockingIo(int socket) : socket_(socket) {}
  void post(const std::byte* bytes, std::size_t count) {
    while (count != 0) {
      const auto sent =
          static_cast<std::size_t>(check(static_cast<int>(::send(socket_, bytes, count, MSG_NOSIGNAL)), "send"));
      bytes += sent;
      count -= sent;
    }
  }
  void flush() {}
  std::size_t receive(std::byte* bytes, std::size_t count) {
    const int received = check(static_cast<int>(::recv(socket_, bytes, count, 0)), "recv");
    if (received == 0) fail("recv: the end");
    return static_cast<std::size_t>(received);
  }

 private:
  const int socket_;
};

// Posts go to the kernel together, each behind the one before, with the receive or the flush that follows.
class UringIo {
 public:
  static constexpr std::size_t kPostsMax = 32;

  explicit UringIo(int socket) : socket_(socket) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    errno = -io_uring_queue_init_params(2 * kPostsMax, &ring_, &params);
    if (errno != 0) fail("io_uring_queue_init_params");
    io_uring_register_ring_fd(&ring_);
  }
  UringIo(const UringIo&) = delete;
  UringIo& operator=(const UringIo&) = delete;
  ~UringIo() { io_uring_queue_exit(&ring_); }

  // Precondition: fewer than kPostsMax since the last flush() or receive().
  void post(const std::byte* bytes, std::size_t count) {
    if (last_ != nullptr) last_->flags |= IOSQE_IO_LINK;
    iovec& vector = vectors_[posted_++];
    vector = {const_cast<std::byte*>(bytes), count};
    headers_[posted_ - 1] = header_of(vector);
    last_ = io_uring_get_sqe(&ring_);
    io_uring_prep_sendmsg(last_, socket_, &headers_[posted_ - 1], MSG_WAITALL | MSG_NOSIGNAL);
    last_->flags |= IOSQE_CQE_SKIP_SUCCESS;
  }
  void flush() {
    if (last_ == nullptr) return;
    last_->flags &= static_cast<unsigned char>(~IOSQE_CQE_SKIP_SUCCESS);
    await();
  }
  std::size_t receive(std::byte* bytes, std::size_t count) {
    iovec vector{bytes, count};
    msghdr header = header_of(vector);
    io_uring_prep_recvmsg(io_uring_get_sqe(&ring_), socket_, &header, 0);
    return await();
  }

 private:
  static msghdr header_of(iovec& vector) {
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    return header;
  }
  // Submits, and waits for the one completion that there will be, unless a post fails.
  std::size_t await() {
    int entered = 0;
    do {
      entered = io_uring_submit_and_wait(&ring_, 1);
    } while (entered == -EINTR);
    io_uring_cqe* cqe = nullptr;
    if (entered >= 0) entered = io_uring_peek_cqe(&ring_, &cqe);
    const int result = entered < 0 ? entered : cqe->res;
    errno = result < 0 ? -result : 0;
    if (result <= 0) fail("sendmsg or recvmsg in io_uring");
    io_uring_cqe_seen(&ring_, cqe);
    posted_ = 0;
    last_ = nullptr;
    return static_cast<std::size_t>(result);
  }

  const int socket_;
  io_uring ring_{};
  io_uring_sqe* last_ = nullptr;  // of the posts that the kernel has not seen
  std::size_t posted_ = 0;
  std::array<iovec, kPostsMax> vectors_{};
  std::array<msghdr, kPostsMax> headers_{};
};

}  // namespace wharf::perf
