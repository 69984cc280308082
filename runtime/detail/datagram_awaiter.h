// Awaiters of recvfrom and sendto, which own the message header that io_uring wants. The public forms are in udp.h.
//
// Threads: the reactor's.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <coroutine>
#include <cstddef>
#include <span>
#include <type_traits>

#include "wharf/runtime/address.h"
#include "wharf/runtime/detail/io_awaiter.h"

namespace wharf::runtime {

struct Datagram {
  std::size_t bytes = 0;  // in the buffer
  bool cut = false;       // it was longer than the buffer
  Address source;         // family() AF_UNSPEC: it has none
};

namespace detail {

// The header points into the awaiter, and is filled in when the operation starts: until then awaiters may move.
class MessageOperation : public IoAwaiter {
 protected:
  MessageOperation(const char* name, Opcode operation, int socket, const std::byte* data, std::size_t bytes,
                   IoOptions options) noexcept
      : IoAwaiter(name, operation, socket, options), part_{const_cast<std::byte*>(data), bytes} {}

  void point(void* address, socklen_t address_bytes) noexcept {
    header_.msg_name = address;
    header_.msg_namelen = address_bytes;
    header_.msg_iov = &part_;
    header_.msg_iovlen = 1;
    memory = &header_;
    memory_bytes = sizeof(header_);
  }
  const msghdr& header() const noexcept { return header_; }

 private:
  iovec part_;
  msghdr header_{};
};

class [[nodiscard]] RecvfromAwaiter final : public MessageOperation {
 public:
  RecvfromAwaiter(int socket, std::span<std::byte> buffer, IoOptions options) noexcept
      : MessageOperation("recvfrom", Opcode::kRecvmsg, socket, buffer.data(), buffer.size(), options) {}
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    point(&source_, sizeof(source_));
    return IoAwaiter::await_suspend(handle, site);
  }
  StatusOr<Datagram> await_resume() const {
    if (!ok()) return status();
    Datagram datagram;
    datagram.bytes = static_cast<std::size_t>(result());
    datagram.cut = (header().msg_flags & MSG_TRUNC) != 0;
    datagram.source = Address::from(reinterpret_cast<const sockaddr*>(&source_), header().msg_namelen);
    return datagram;
  }

 private:
  sockaddr_storage source_{};
};

class [[nodiscard]] SendtoAwaiter final : public MessageOperation {
 public:
  SendtoAwaiter(int socket, std::span<const std::byte> bytes, const Address& target, IoOptions options) noexcept
      : MessageOperation("sendto", Opcode::kSendmsg, socket, bytes.data(), bytes.size(), options), target_(target) {
    flags = MSG_NOSIGNAL;
  }
  template <class Promise>
    requires std::is_base_of_v<coro::Frame, Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
    point(const_cast<sockaddr*>(target_.get()), target_.bytes());
    return IoAwaiter::await_suspend(handle, site);
  }
  StatusOr<std::size_t> await_resume() const {
    if (!ok()) return status();
    return static_cast<std::size_t>(result());
  }

 private:
  Address target_;
};

}  // namespace detail
}  // namespace wharf::runtime
