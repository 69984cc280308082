// TcpListener: a TCP port that connections are accepted from.
//
//     StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::listen("127.0.0.1", 8080);
//     StatusOr<UniqueFd> connection = co_await (*listener)->accept();
//
// One multishot accept feeds a queue. It is armed by the first accept(), and ended when the queue is
// full, so that further connections wait in the kernel's backlog.
//
// Threads: the reactor's; listen() any.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "wharf/coro/detail/wait.h"
#include "wharf/runtime/base/status.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/detail/timed_wait.h"
#include "wharf/runtime/io.h"

namespace wharf::runtime {

struct TcpListenOptions {
  int backlog = 1024;  // connections that wait in the kernel
  // Connections that wait in the queue of the listener: 1 to 65536.
  std::uint32_t accepted_max = 64;
  bool no_delay = true;     // TCP_NODELAY on accepted sockets
  bool reuse_port = false;  // SO_REUSEPORT: others may listen on the same port, and share
};

class TcpListener {
 public:
  // Binds and listens; SO_REUSEADDR is set. `host` is a numeric IPv4 or IPv6 address; "" is every
  // address of the machine. Port 0 takes a free one.
  //
  // Errors: InvalidArgument     the host is no numeric address, or an option is out of range
  //         FailedPrecondition  the address is in use, or is not this machine's
  //         PermissionDenied    the port needs a privilege
  //         ResourceExhausted   no file descriptor
  static StatusOr<std::unique_ptr<TcpListener>> listen(const std::string& host, std::uint16_t port,
                                                       TcpListenOptions options = {});
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;
  // As close() does.
  ~TcpListener();

  // In host byte order.
  std::uint16_t port() const noexcept { return port_; }
  int fd() const noexcept { return socket_.get(); }

  // Tasks that wait in accept() go on, as Cancelled; connections in the queue are closed. Nothing of
  // the listener stays in flight.
  void close() noexcept;

  class [[nodiscard]] AcceptAwaiter final : private detail::TimedWait {
   public:
    AcceptAwaiter(TcpListener& listener, IoOptions options) noexcept : TimedWait(options), listener_(listener) {}
    static constexpr const char* kWaitsFor = "TcpListener::accept";
    void describe_wait(std::string& text, std::int64_t now_ns) const;
    bool await_ready() noexcept { return listener_.take(*this); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle, coro::Site site = coro::Site::current()) noexcept {
      if (!suspend(handle, listener_.waits_, site, *this)) return false;
      listener_.arm();
      return true;
    }
    StatusOr<UniqueFd> await_resume();

   private:
    friend TcpListener;
    TcpListener& listener_;
    UniqueFd connection_;
    int error_ = 0;  // an errno
  };

  // The next connection: close-on-exec, in blocking mode. Any number of tasks may wait; the first that
  // came is the first served. A connection that is queued already is given whatever the deadline.
  //
  // Units:  deadline_ns on the reactor's clock.
  // Errors: Cancelled           the task was stopped, or the listener closed
  //         DeadlineExceeded    the deadline has passed
  //         ResourceExhausted   EMFILE, ENFILE, ENOMEM: told to those who wait, or else to the next
  //                             caller; the next call tries again, and connections wait in the
  //                             backlog meanwhile
  //         any other           errno_status() of accept
  // Cancel: honoured; takes no connection.
  AcceptAwaiter accept(IoOptions options = {}) noexcept { return {*this, options}; }

 private:
  class AcceptOperation;

  TcpListener(UniqueFd socket, std::uint16_t port, const TcpListenOptions& options);

  bool take(AcceptAwaiter& awaiter) noexcept;
  void arm() noexcept;
  void on_accepted(std::int32_t result, bool more) noexcept;

  UniqueFd socket_;
  const std::uint16_t port_;
  const std::uint32_t accepted_max_;
  coro::detail::WaitList waits_;
  std::vector<UniqueFd> accepted_;  // a ring: accepted_max, and what comes until a cancel takes effect
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  int error_ = 0;               // an errno that nobody has been told of
  AcceptOperation* operation_;  // its own, and the reactor's once it is abandoned
};

}  // namespace wharf::runtime
