// Runs tasks on a real reactor: a Harness is a Reactor and a watchdog, driven by the test's thread.
//
//     Harness harness;
//     EXPECT_TRUE(harness.run(send_and_receive()).ok());
//
// Threads: the Harness's maker's.
#pragma once

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/task.h"
#include "wharf/runtime/base/unique_fd.h"
#include "wharf/runtime/reactor.h"

namespace wharf::test {

// Why there is no io_uring here: a container's seccomp profile, say. Empty: there is.
const std::string& why_no_uring();

// In a test, or in the SetUp() of many: they are skipped where there is none.
#define WHARF_NEEDS_URING() \
  if (!::wharf::test::why_no_uring().empty()) GTEST_SKIP() << ::wharf::test::why_no_uring()

// Ends the process when the test takes far too long: nothing else bounds it.
class Watchdog {
 public:
  Watchdog() { ::alarm(60); }
  ~Watchdog() { ::alarm(0); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
};

class Harness {
 public:
  explicit Harness(runtime::ReactorOptions options = {}) {
    StatusOr<std::unique_ptr<runtime::Reactor>> reactor = runtime::Reactor::create(options);
    if (!reactor.ok()) {
      ADD_FAILURE() << reactor.status().ToString();
      std::abort();
    }
    reactor_ = *std::move(reactor);
  }

  runtime::Reactor& reactor() noexcept { return *reactor_; }
  template <class T>
  T run(coro::Task<T> task) {
    return reactor_->run(std::move(task));
  }

 private:
  Watchdog watchdog_;
  std::unique_ptr<runtime::Reactor> reactor_;
};

// A pair of connected Unix stream sockets, close-on-exec.
struct SocketPair {
  explicit SocketPair(int type = SOCK_STREAM) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    left.reset(fds[0]);
    right.reset(fds[1]);
  }
  runtime::UniqueFd left;
  runtime::UniqueFd right;
};

inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `co_await next_turn()`: until the reactor has been to the kernel, with what was queued before.
inline coro::Task<void> next_turn() {
  runtime::Reactor& reactor = runtime::Reactor::current();
  const std::uint64_t end = reactor.counters().turns + 2;
  while (reactor.counters().turns < end) co_await coro::yield();
}

// Forwards to an awaiter that lives elsewhere.
template <class Awaiter>
class ByReference {
 public:
  explicit ByReference(Awaiter& awaiter) noexcept : awaiter_(awaiter) {}
  bool await_ready() noexcept { return awaiter_.await_ready(); }
  template <class Promise>
  auto await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    return awaiter_.await_suspend(handle);
  }
  auto await_resume() { return awaiter_.await_resume(); }

 private:
  Awaiter& awaiter_;
};

// How many descriptors the process has open.
std::size_t open_fd_count();

// Makes the process run out of descriptors for as long as it lives.
class NoMoreFds {
 public:
  NoMoreFds();
  ~NoMoreFds();
  NoMoreFds(const NoMoreFds&) = delete;
  NoMoreFds& operator=(const NoMoreFds&) = delete;

 private:
  rlimit old_{};
};

// Connects to a port of 127.0.0.1, and blocks the thread meanwhile: the listener's backlog answers.
runtime::UniqueFd connect_to(std::uint16_t port);

}  // namespace wharf::test
