// What a link watches beside its lane: three file descriptors, how long its arena lies idle, and whether what has arrived in
// part goes on.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>

#include "wharf/ipc/detail/link.h"
#include "wharf/runtime/base/clock.h"
#include "wharf/runtime/timer.h"
#include "wharf/runtime/watch.h"

namespace wharf::ipc::detail {

// The socket: the peer's end, and packets. Beside a lane those that carry descriptors are read when their record is, so
// nobody waits for them; to be told of each would cost both sides.
class Link::SocketWatch final : public runtime::Watch {
 public:
  explicit SocketWatch(Link& link)
      : Watch(link.reactor_, link.socket_->fd(), link.reads_socket() ? POLLIN | POLLRDHUP : POLLRDHUP), link_(link) {}

 private:
  void on_ready(std::uint32_t events) noexcept override {
    link_.socket_readable_ = true;
    if ((events & (POLLRDHUP | POLLHUP | POLLERR)) != 0) link_.peer_gone_ = true;  // T1
    link_.look_out();
  }
  Link& link_;
};

// Room in the socket, while somebody waits for it.
class Link::WritableWatch final : public runtime::Watch {
 public:
  explicit WritableWatch(Link& link) : Watch(link.reactor_, link.socket_->fd(), POLLOUT), link_(link) {}

 private:
  void on_ready(std::uint32_t) noexcept override {
    link_.socket_writable_ = true;
    link_.look_out();
  }
  Link& link_;
};

// Our doorbell: never read, so that each ring is one edge and no system call.
class Link::DoorbellWatch final : public runtime::Watch {
 public:
  explicit DoorbellWatch(Link& link) : Watch(link.reactor_, link.own_doorbell_.get(), POLLIN), link_(link) {}

 private:
  void on_ready(std::uint32_t) noexcept override {
    ++link_.counters_.wakes;
    link_.look_out();
  }
  Link& link_;
};

// The time that segments of the arena hold nothing. It runs only while there are such segments.
class Link::ArenaTimer final : public runtime::Timer {
 public:
  explicit ArenaTimer(Link& link) noexcept : link_(link) {}
  void start() noexcept {
    const std::int64_t idle_ns = link_.options_.lane.arena_idle_ms * 1'000'000;
    set(runtime::deadline_after(link_.reactor_.now_ns(), idle_ns));
  }

 private:
  void on_expired() noexcept override {
    link_.arena_idle_due_ = true;
    link_.look_out();
  }
  Link& link_;
};

// Looks, while messages have arrived in part, whether they go on.
class Link::StallTimer final : public runtime::Timer {
 public:
  explicit StallTimer(Link& link) : link_(link) {}
  void wind() noexcept {
    set(runtime::deadline_after(link_.reactor_.now_ns(),
                                link_.options_.assembly_timeout_ms * 1'000'000 / Transport::kStallTicks));
  }

 private:
  void on_expired() noexcept override { link_.check_progress(); }
  Link& link_;
};

}  // namespace wharf::ipc::detail
