// Watch: calls back whenever a file descriptor becomes ready, for as long as it lives.
//
//     class Doorbell final : public Watch {
//       using Watch::Watch;
//       void on_ready(std::uint32_t events) noexcept override { reactor().make_hot(port_); }
//     };
//
// One multishot poll: an edge is reported once, and nothing is re-armed in between. So whoever is told
// that an fd is readable reads until EAGAIN, or leaves what is there until the next edge. An fd that is
// ready when the watch starts is reported once. There may be a report too many.
//
// Units:     poll_events: POLLIN, POLLOUT, POLLRDHUP. POLLERR and POLLHUP are always reported.
// Ownership: the fd is borrowed until close(). After that the kernel holds on to the file until the
//            reactor's next turn: shut a socket down if its peer must see the end at once.
// Errors:    reported as POLLERR, once; the watch has then ended (is_open() is false).
// Threads:   the reactor's.
// Cost:      one allocation per watch; none per report.
#pragma once

#include <poll.h>

#include <cstdint>

namespace wharf::runtime {

class Reactor;

class Watch {
 public:
  Watch(Reactor& reactor, int fd, unsigned poll_events);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() { close(); }

  // No report comes after this. May be called at any time, from on_ready() too; so may the destructor.
  void close() noexcept;
  bool is_open() const noexcept { return operation_ != nullptr; }
  Reactor& reactor() const noexcept { return reactor_; }

 protected:
  // Runs inside the harvest: it may only enqueue (frames, operations, timers, pollers).
  virtual void on_ready(std::uint32_t events) noexcept = 0;

 private:
  class PollOperation;

  Reactor& reactor_;
  PollOperation* operation_;  // its own, and the reactor's once it is abandoned
};

}  // namespace wharf::runtime
