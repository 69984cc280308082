#include "wharf/runtime/listen_each.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/runtime.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::connect_to;

TEST(ListenEachTest, AllListenOnOnePort) {
  const auto listeners = listen_each("127.0.0.1", 0, 3);

  ASSERT_TRUE(listeners.ok()) << listeners.status();
  ASSERT_EQ(listeners->size(), 3U);
  for (const auto& listener : *listeners) EXPECT_EQ(listener->port(), (*listeners)[0]->port());
}

TEST(ListenEachTest, NoneIsTooFew) {
  EXPECT_EQ(listen_each("127.0.0.1", 0, 0).status().code(), StatusCode::kInvalidArgument);
}

TEST(ListenEachTest, APortThatSomebodyElseHasIsRefused) {
  const auto other = TcpListener::listen("127.0.0.1", 0);
  ASSERT_TRUE(other.ok());

  EXPECT_EQ(listen_each("127.0.0.1", (*other)->port(), 2).status().code(), StatusCode::kFailedPrecondition);
}

using Accepted = SharedChannel<std::uint32_t>;

Task<Status> accept_all(std::unique_ptr<TcpListener> listener, Accepted* accepted) {
  for (;;) {
    StatusOr<UniqueFd> connection = co_await listener->accept();
    if (!connection.ok()) co_return connection.status();
    bool sent = co_await accepted->send(Runtime::current_index());
    EXPECT_TRUE(sent);
  }
}

Task<Status> connect_many(Runtime& runtime, Accepted& accepted, int count, std::vector<int>& by_reactor) {
  auto listeners = listen_each("127.0.0.1", 0, runtime.reactor_count());
  if (!listeners.ok()) co_return listeners.status();
  const std::uint16_t port = (*listeners)[0]->port();
  for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
    runtime.spawn_on(i, accept_all, std::move((*listeners)[i]), &accepted);
  }
  for (int i = 0; i < count; ++i) {
    const UniqueFd client = connect_to(port);
    std::optional<std::uint32_t> index = co_await accepted.receive();
    ++by_reactor[*index];
  }
  co_return absl::OkStatus();
}

// The kernel spreads by a hash of the addresses: that all of 64 go to one of two is as likely as 64 heads.
TEST(ListenEachTest, EachReactorAcceptsItsShare) {
  const test::Watchdog watchdog;
  auto runtime = Runtime::create({.reactor_count = 2});
  ASSERT_TRUE(runtime.ok());
  Accepted accepted(4);
  std::vector<int> by_reactor(2);

  const Status ended = (*runtime)->run(connect_many(**runtime, accepted, 64, by_reactor));

  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_GT(by_reactor[0], 0);
  EXPECT_GT(by_reactor[1], 0);
  EXPECT_EQ(by_reactor[0] + by_reactor[1], 64);
}

}  // namespace
}  // namespace wharf::runtime
