// For tests of what receives into the buffers of a group: a reactor on each backend that takes them in a way of its own.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/task.h"
#include "wharf/runtime/buffer_group.h"
#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/tcp.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/without_rings.h"

namespace wharf::test {

// Who takes a buffer of the group.
enum class Taker { kKernel, kEpoll, kStream };

inline const auto kTakers = testing::Values(Taker::kKernel, Taker::kEpoll, Taker::kStream);

inline std::string name_of(Taker taker) {
  constexpr const char* kNames[] = {"Kernel", "Epoll", "Stream"};
  return kNames[static_cast<int>(taker)];
}

class TakerTest : public testing::Test {
 protected:
  explicit TakerTest(Taker taker) {
    switch (taker) {
      case Taker::kKernel: reactor_ = *runtime::Reactor::create(); break;
      case Taker::kEpoll: reactor_ = runtime::Reactor::create_on(*runtime::detail::EpollBackend::create(64)); break;
      case Taker::kStream: reactor_ = runtime::Reactor::create_on(std::make_unique<WithoutRings>()); break;
    }
  }
  runtime::BufferGroup group(std::uint32_t count, std::size_t bytes) {
    auto group = runtime::BufferGroup::create(*reactor_, count, static_cast<std::uint32_t>(bytes));
    EXPECT_TRUE(group.ok()) << group.status();
    return *std::move(group);
  }
  template <class T>
  T run(coro::Task<T> task) {
    return reactor_->run(std::move(task));
  }

  Watchdog watchdog_;
  std::unique_ptr<runtime::Reactor> reactor_;
};

// The two ends of a TCP connection.
struct TcpPair {
  TcpPair() {
    const std::unique_ptr<runtime::TcpListener> listener = *runtime::TcpListener::listen("127.0.0.1", 0);
    left = connect_to(listener->port());
    right.reset(::accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  runtime::UniqueFd left;
  runtime::UniqueFd right;
};

}  // namespace wharf::test
