#include "wharf/runtime/shared_channel.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/timeout.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::next_turn;

using Numbers = SharedChannel<int>;

Task<void> receive_into(Numbers& channel, std::vector<int>& received) {
  for (;;) {
    std::optional<int> number = co_await channel.receive();
    if (!number.has_value()) co_return;
    received.push_back(*number);
  }
}

Task<void> send_numbers(Numbers& channel, int first, int count) {
  for (int i = 0; i < count; ++i) {
    bool sent = co_await channel.send(first + i);
    EXPECT_TRUE(sent);
  }
}

TEST(SharedChannelTest, ItemsComeInTheirOrder) {
  Harness harness;
  Numbers channel(4);
  std::vector<int> received;

  harness.run([](Numbers& numbers, std::vector<int>& into) -> Task<void> {
    Scope scope;
    scope.spawn(receive_into(numbers, into));
    co_await send_numbers(numbers, 0, 100);
    numbers.close();
    co_await scope.join();
  }(channel, received));

  ASSERT_EQ(received.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(received[static_cast<std::size_t>(i)], i);
}

// Each task of `make_task()` has a thread and a reactor of its own.
template <class MakeTask>
std::thread on_a_reactor(MakeTask make_task) {
  return std::thread([make_task] {
    StatusOr<std::unique_ptr<Reactor>> reactor = Reactor::create();
    ASSERT_TRUE(reactor.ok());
    (*reactor)->run(make_task());
  });
}

TEST(SharedChannelTest, ManyReactorsSendToOneAndNothingIsLost) {
  constexpr int kSenders = 3;
  constexpr int kCount = 2000;
  Harness harness;
  Numbers channel(8);
  std::atomic<int> sending{kSenders};
  std::vector<std::thread> senders;
  senders.reserve(kSenders);
  for (int i = 0; i < kSenders; ++i) {
    senders.push_back(on_a_reactor([&channel, &sending, i] {
      return [](Numbers& numbers, std::atomic<int>& left, int first) -> Task<void> {
        co_await send_numbers(numbers, first, kCount);
        if (--left == 0) numbers.close();
      }(channel, sending, i * kCount);
    }));
  }

  std::vector<int> received;
  harness.run(receive_into(channel, received));
  for (std::thread& sender : senders) sender.join();

  std::vector<int> next{0, kCount, 2 * kCount};
  for (int number : received) {
    EXPECT_EQ(number, next[static_cast<std::size_t>(number / kCount)]++);
  }
  EXPECT_EQ(received.size(), static_cast<std::size_t>(kSenders * kCount));
}

TEST(SharedChannelTest, ManyReactorsReceiveAndEachItemGoesToOne) {
  constexpr int kReceivers = 3;
  constexpr int kCount = 3000;
  Harness harness;
  Numbers channel(8);
  std::atomic<std::int64_t> sum{0};
  std::atomic<int> count{0};
  std::vector<std::thread> receivers;
  receivers.reserve(kReceivers);
  for (int i = 0; i < kReceivers; ++i) {
    receivers.push_back(on_a_reactor([&] {
      return [](Numbers& numbers, std::atomic<std::int64_t>& total, std::atomic<int>& items) -> Task<void> {
        std::vector<int> received;
        co_await receive_into(numbers, received);
        for (int number : received) total += number;
        items += static_cast<int>(received.size());
      }(channel, sum, count);
    }));
  }

  harness.run(send_numbers(channel, 0, kCount));
  channel.close();
  for (std::thread& receiver : receivers) receiver.join();

  EXPECT_EQ(count, kCount);
  EXPECT_EQ(sum, std::int64_t{kCount} * (kCount - 1) / 2);
}

Task<bool> send_one(Numbers& channel) {
  bool sent = co_await channel.send(7);
  co_return sent;
}

TEST(SharedChannelTest, AFullOneMakesSendersWaitAndTrySendDecline) {
  Harness harness;
  Numbers channel(1);
  ASSERT_TRUE(channel.try_send(1));
  std::optional<bool> sent;

  harness.run([](Numbers& numbers, std::optional<bool>& second) -> Task<void> {
    Scope scope;
    scope.spawn(test::keep_result(send_one(numbers), second));
    co_await next_turn();
    EXPECT_FALSE(second.has_value());
    EXPECT_FALSE(numbers.try_send(2));
    std::optional<int> first = co_await numbers.receive();
    EXPECT_EQ(first, 1);
    co_await scope.join();
    EXPECT_EQ(second, true);
  }(channel, sent));

  EXPECT_EQ(channel.try_receive(), 7);
  EXPECT_EQ(channel.try_receive(), std::nullopt);
}

TEST(SharedChannelTest, TrySendLeavesTheItemWhereItDeclines) {
  SharedChannel<std::unique_ptr<int>> channel(1);
  ASSERT_TRUE(channel.try_send(std::make_unique<int>(1)));
  std::unique_ptr<int> second = std::make_unique<int>(2);

  EXPECT_FALSE(channel.try_send(second));

  EXPECT_NE(second, nullptr);
}

TEST(SharedChannelTest, CloseEndsWaitingSendersAndLeavesWhatIsQueued) {
  Harness harness;
  Numbers channel(1);
  ASSERT_TRUE(channel.try_send(1));
  std::optional<bool> sent;

  harness.run([](Numbers& numbers, std::optional<bool>& second) -> Task<void> {
    Scope scope;
    scope.spawn(test::keep_result(send_one(numbers), second));
    co_await next_turn();
    numbers.close();
    co_await scope.join();
  }(channel, sent));

  EXPECT_EQ(sent, false);
  EXPECT_FALSE(channel.try_send(2));
  EXPECT_EQ(channel.try_receive(), 1);
  EXPECT_EQ(channel.try_receive(), std::nullopt);
}

TEST(SharedChannelTest, CloseOnAnotherThreadEndsAWaitingReceiver) {
  Harness harness;
  Numbers channel(1);
  std::thread closer([&channel] { channel.close(); });
  std::vector<int> received;

  harness.run(receive_into(channel, received));
  closer.join();

  EXPECT_TRUE(received.empty());
}

TEST(SharedChannelTest, AStoppedSendHasSentNothing) {
  Harness harness;
  Numbers channel(1);
  ASSERT_TRUE(channel.try_send(1));

  EXPECT_FALSE(harness.run(test::stopped(send_one(channel))));
  EXPECT_EQ(channel.size(), 1U);
}

Task<std::optional<int>> receive_one(Numbers& channel) {
  std::optional<int> number = co_await channel.receive();
  co_return number;
}

TEST(SharedChannelTest, AStoppedReceiveTakesNothing) {
  Harness harness;
  Numbers channel(1);

  EXPECT_EQ(harness.run(test::stopped(receive_one(channel))), std::nullopt);
  EXPECT_TRUE(channel.try_send(1));
  EXPECT_EQ(channel.size(), 1U);
}

Task<Status> take_within(Numbers& channel, std::atomic<int>& taken) {
  std::optional<int> number = co_await channel.receive();
  if (!number.has_value()) co_return make_status(StatusCode::kCancelled, "nothing came");
  ++taken;
  co_return absl::OkStatus();
}

Task<void> take_with_stops(Numbers& channel, std::atomic<int>& taken, int wanted) {
  while (taken < wanted) {
    Status ended = co_await with_timeout(std::chrono::microseconds(20), take_within(channel, taken));
    EXPECT_TRUE(ended.ok() || ended.code() == StatusCode::kDeadlineExceeded) << ended;
  }
}

// Each item is either taken or still there, however a stop and a hand-over meet.
TEST(SharedChannelTest, AStopThatMeetsAHandOverLosesNothing) {
  constexpr int kCount = 2000;
  Harness harness;
  Numbers channel(1);
  std::thread sender = on_a_reactor([&channel] { return send_numbers(channel, 0, kCount); });
  std::atomic<int> taken{0};

  harness.run(take_with_stops(channel, taken, kCount));
  sender.join();

  EXPECT_EQ(taken, kCount);
  EXPECT_EQ(channel.size(), 0U);
}

TEST(SharedChannelTest, ASleepingReceiverIsWokenOnceHoweverMuchIsSent) {
  auto backend = std::make_unique<test::FakeBackend>();
  test::FakeBackend& kernel = *backend;
  const std::unique_ptr<Reactor> reactor = Reactor::create_on(std::move(backend));
  Numbers channel(100);
  kernel.on_sleep = [&channel](std::int64_t /*deadline_ns*/) {
    std::thread sender([&channel] {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(channel.try_send(i));
      channel.close();
    });
    sender.join();
  };
  std::vector<int> received;

  reactor->run(receive_into(channel, received));

  EXPECT_EQ(received.size(), 100U);
  EXPECT_EQ(kernel.wakes, 1);
  EXPECT_EQ(reactor->counters().posted, 1U);
}

}  // namespace
}  // namespace wharf::runtime
