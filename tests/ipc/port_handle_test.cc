// S7 and S19: other threads send and call through a port's handle.
#include "wharf/ipc/port_handle.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "wharf/coro/when_all.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/elsewhere.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

class PortHandleTest : public PortRowTest {};

constexpr std::uint64_t kThreads = 8;
constexpr std::size_t kSmallBound = 16;

std::uint64_t messages_per_thread(const ipc::Port& port, std::size_t bound) {
  if (bound == kSmallBound) return 200;  // most of the time they try in vain
  return port.uses_shared_memory() && !kSanitized ? 10'000 : 1'000;
}

// A plain thread: it has no reactor, and takes the bound as it comes.
void send_numbered(const ipc::PortHandle& handle, std::uint64_t thread, std::uint64_t count) {
  Status posted;
  for (std::uint64_t i = 0; i < count && posted.ok(); ++i) {
    const std::string payload = numbered_payload({thread, i});
    do {
      ipc::Message message(payload);
      if (i % kNumberedFilePeriod == 0) message.attach(numbered_file(i));
      posted = handle.try_send(std::move(message));
      if (posted.code() == StatusCode::kResourceExhausted) std::this_thread::yield();
    } while (posted.code() == StatusCode::kResourceExhausted);
    EXPECT_OK(posted);
  }
}

template <std::size_t bound>  // 0: the usual one
coro::Task<void> send_from_threads(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::uint64_t each = messages_per_thread(port, bound);
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < kThreads; ++i) threads.emplace_back(send_numbered, port.handle(), i, each);
  while (port.counters().handle_sends < kThreads * each && port.status().ok()) co_await next_turn();
  for (std::thread& thread : threads) thread.join();

  std::string count = co_await ask(port, ipc::Message("how many?"));

  EXPECT_EQ(value_of<std::uint64_t>(count), kThreads * each);
  EXPECT_EQ(port.counters().handle_losses, 0u);
}

TEST_P(PortHandleTest, S7_S19_WhatManyThreadsSendArrivesWholeAndInEachOnesOrder) {
  run(setup("count_by_thread"), send_from_threads<0>);
}

TEST_P(PortHandleTest, S7_ASmallBoundHoldsManyThreadsBackAndLosesNothing) {
  ipc::PortOptions options;
  options.handle_queue_count_max = kSmallBound;

  run(setup("count_by_thread", options), send_from_threads<kSmallBound>);
}

coro::Task<void> post_beyond_the_bound(ipc::Port& port, PeerProcess& peer) {
  const ipc::PortHandle handle = port.handle();
  for (int i = 0; i < 16; ++i) {
    EXPECT_OK(handle.try_send(ipc::Message("within")));
  }

  Tracer tracer;
  Status posted = handle.try_send(std::move(ipc::Message("one too many").attach(tracer.take())));

  EXPECT_EQ(posted.code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(tracer.closed_everywhere());
  while (port.counters().handle_sends < 16) co_await next_turn();
  EXPECT_OK(handle.try_send(ipc::Message("there is room again")));
  while (port.counters().handle_sends < 17) co_await next_turn();
  peer.cue();
}

TEST_P(PortHandleTest, S7_WhatWaitsToBeSentIsBounded) {
  ipc::PortOptions options;
  options.handle_queue_count_max = 16;

  run(setup("idle", options), post_beyond_the_bound);
}

// What was accepted waits for room in the ring, whatever waiting_count_max says.
coro::Task<void> post_into_a_full_ring(ipc::Port& port, PeerProcess& peer) {
  constexpr std::uint64_t kCount = 2000;
  const ipc::PortHandle handle = port.handle();
  for (std::uint64_t i = 0; i < kCount; ++i) {
    std::string payload(bytes_of(i));
    payload.resize(1000);
    EXPECT_OK(handle.try_send(ipc::Message(payload)));
  }
  for (int i = 0; i < 20; ++i) co_await next_turn();
  EXPECT_LT(port.counters().handle_sends, kCount);

  peer.cue();

  while (port.counters().handle_sends < kCount) co_await next_turn();
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), kCount);
}

TEST_P(PortHandleTest, S7_WhatWasAcceptedWaitsForRoomInOrder) {
  ipc::PortOptions options;
  options.waiting_count_max = 2;

  run(setup("late", options), post_into_a_full_ring);
}

coro::Task<void> post_what_never_fits(ipc::Port& port, PeerProcess& peer) {
  const ipc::PortHandle handle = port.handle();
  const std::string large(2000, 'x');
  EXPECT_EQ(handle.try_send(ipc::Message(large)).code(), StatusCode::kInvalidArgument);
  ipc::Message many("descriptors");
  for (std::uint64_t i = 0; i < 17; ++i) many.attach(numbered_file(i));
  EXPECT_EQ(handle.try_send(std::move(many)).code(), StatusCode::kInvalidArgument);
  Status sent = co_await handle.send(ipc::Message(large));
  EXPECT_EQ(sent.code(), StatusCode::kInvalidArgument);
  peer.cue();
}

TEST_P(PortHandleTest, S7_WhatCanNeverBeSentIsRefusedByTheHandle) {
  ipc::PortOptions options;
  options.message_bytes_max = 1000;

  run(setup("idle", options), post_what_never_fits);
}

coro::Task<void> call_from_there(ipc::PortHandle handle, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < (kSanitized ? 20 : 100); ++i) {
    const std::string payload = pattern(i * 700, seed + i);
    auto reply = co_await handle.call(ipc::Message(static_cast<std::uint32_t>(i), payload));
    CO_ASSERT_OK(reply.status());
    EXPECT_EQ((*reply)->type(), i);
    EXPECT_EQ((*reply)->to_string(), payload);
  }
}

coro::Task<void> call_from_here_and_there(ipc::Port& port, PeerProcess& /*peer*/) {
  auto two_there = [](ipc::PortHandle handle) -> coro::Task<void> {
    co_await coro::when_all(call_from_there(handle, 1000), call_from_there(handle, 2000));
  };
  Elsewhere elsewhere(two_there(port.handle()));
  co_await call_from_there(port.handle(), 3000);  // its own reactor will do as well
  co_await elsewhere.join();
}

TEST_P(PortHandleTest, S19_CallsAreAnsweredOnTheReactorOfTheirTask) { run(setup("echo"), call_from_here_and_there); }

coro::Task<void> send_in_turn(ipc::PortHandle handle) {
  for (std::uint64_t i = 0; i < 500; ++i) {
    const std::string payload = numbered_payload({7, i});
    ipc::Message message(payload);
    if (i % kNumberedFilePeriod == 0) message.attach(numbered_file(i));
    Status sent = co_await handle.send(std::move(message));
    EXPECT_OK(sent);
  }
}

coro::Task<void> send_from_another_reactor(ipc::Port& port, PeerProcess& /*peer*/) {
  Elsewhere elsewhere(send_in_turn(port.handle()));
  co_await elsewhere.join();
  std::string count = co_await ask(port, ipc::Message("how many?"));
  EXPECT_EQ(value_of<std::uint64_t>(count), 500u);
}

TEST_P(PortHandleTest, S19_ASendOfAnotherReactorIsDoneWhenThePortHasSent) {
  run(setup("count_by_thread"), send_from_another_reactor);
}

INSTANTIATE_TEST_SUITE_P(, PortHandleTest, ::testing::Values(Route::kSharedMemory, Route::kSocket), route_name);

}  // namespace
}  // namespace wharf::test
