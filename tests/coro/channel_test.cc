#include "wharf/coro/channel.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

Task<bool> send(Channel<int>& channel, int n) { co_return co_await channel.send(n); }

Task<std::optional<int>> receive(Channel<int>& channel) { co_return co_await channel.receive(); }

TEST(ChannelTest, GivesItemsInTheOrderTheyWereSent) {
  Loop loop;
  Channel<int> channel(3);

  for (int n : {1, 2, 3}) EXPECT_TRUE(loop.run(send(channel, n)));

  EXPECT_EQ(channel.size(), 3U);
  for (int n : {1, 2, 3}) EXPECT_EQ(loop.run(receive(channel)), n);
  EXPECT_EQ(channel.size(), 0U);
}

TEST(ChannelTest, NeedsNoTurnWhileThereIsRoomOrAnItem) {
  Loop loop;
  Channel<int> channel(1);
  auto sending = loop.start(send(channel, 1));
  EXPECT_EQ(loop.run_ready(), 1U);
  auto receiving = loop.start(receive(channel));
  EXPECT_EQ(loop.run_ready(), 1U);

  EXPECT_TRUE(sending.take());
  EXPECT_EQ(receiving.take(), 1);
}

TEST(ChannelTest, SendWaitsWhileItIsFullAndTheOrderStays) {
  Loop loop;
  Channel<int> channel(1);
  auto a = loop.start(send(channel, 1));
  auto b = loop.start(send(channel, 2));
  auto c = loop.start(send(channel, 3));
  loop.run_ready();
  EXPECT_TRUE(a.done());
  EXPECT_FALSE(b.done());

  for (int n : {1, 2, 3}) EXPECT_EQ(loop.run(receive(channel)), n);

  EXPECT_TRUE(b.take());
  EXPECT_TRUE(c.take());
}

TEST(ChannelTest, WaitingReceiversAreServedInTurn) {
  Loop loop;
  Channel<int> channel(1);
  auto first = loop.start(receive(channel));
  auto second = loop.start(receive(channel));
  loop.run_ready();

  loop.run(send(channel, 1));
  loop.run(send(channel, 2));

  EXPECT_EQ(first.take(), 1);
  EXPECT_EQ(second.take(), 2);
}

TEST(ChannelTest, CarriesMoveOnlyItems) {
  Loop loop;
  Channel<std::unique_ptr<int>> channel(2);
  auto body = [](Channel<std::unique_ptr<int>>& through) -> Task<int> {
    co_await through.send(std::make_unique<int>(6));
    auto item = co_await through.receive();
    co_return **item;
  };

  EXPECT_EQ(loop.run(body(channel)), 6);
}

TEST(ChannelTest, CapacityZeroCountsAsOne) {
  const Channel<int> channel(0);

  EXPECT_EQ(channel.capacity(), 1U);
}

TEST(ChannelTest, CloseRefusesSendsAndLeavesWhatIsQueued) {
  Loop loop;
  Channel<int> channel(2);
  loop.run(send(channel, 1));

  channel.close();

  EXPECT_TRUE(channel.closed());
  EXPECT_FALSE(loop.run(send(channel, 2)));
  EXPECT_EQ(loop.run(receive(channel)), 1);
  EXPECT_EQ(loop.run(receive(channel)), std::nullopt);
}

TEST(ChannelTest, CloseEndsWaitingSendersAndReceivers) {
  Loop loop;
  Channel<int> full(1);
  Channel<int> empty(1);
  loop.run(send(full, 1));
  auto sending = loop.start(send(full, 2));
  auto receiving = loop.start(receive(empty));
  loop.run_ready();

  full.close();
  empty.close();
  loop.run_ready();

  EXPECT_FALSE(sending.take());
  EXPECT_EQ(receiving.take(), std::nullopt);
  EXPECT_EQ(loop.run(receive(full)), 1);
  EXPECT_EQ(loop.run(receive(full)), std::nullopt);
}

TEST(ChannelTest, AStoppedSendThatNeedsToWaitKeepsNothing) {
  Loop loop;
  Loop other;
  Channel<int> channel(1);
  loop.run(send(channel, 1));
  loop.stop();

  EXPECT_FALSE(loop.run(send(channel, 2)));

  EXPECT_EQ(other.run(receive(channel)), 1);
  EXPECT_EQ(channel.size(), 0U);
}

TEST(ChannelTest, ASendStoppedWhileItWaitsKeepsNothingAndItsPlaceGoesToTheNext) {
  Loop loop;
  Loop other;
  Channel<int> channel(1);
  other.run(send(channel, 1));
  auto stopped = loop.start(send(channel, 2));
  loop.run_ready();
  auto next = other.start(send(channel, 3));
  other.run_ready();

  loop.stop();
  loop.run_ready();

  EXPECT_FALSE(stopped.take());
  EXPECT_EQ(other.run(receive(channel)), 1);
  EXPECT_EQ(other.run(receive(channel)), 3);
  EXPECT_TRUE(next.take());
}

TEST(ChannelTest, ASendStoppedInTheTurnAfterItsItemWasTakenHasSucceeded) {
  Loop loop;
  Loop other;
  Channel<int> channel(1);
  other.run(send(channel, 1));
  auto sending = loop.start(send(channel, 2));
  loop.run_ready();
  EXPECT_EQ(other.run(receive(channel)), 1);

  loop.stop();
  loop.run_ready();

  EXPECT_TRUE(sending.take());
  EXPECT_EQ(other.run(receive(channel)), 2);
}

TEST(ChannelTest, AStoppedReceiveThatNeedsToWaitTakesNothing) {
  Loop loop;
  Loop other;
  Channel<int> channel(1);
  loop.stop();

  EXPECT_EQ(loop.run(receive(channel)), std::nullopt);

  other.run(send(channel, 1));
  EXPECT_EQ(other.run(receive(channel)), 1);
}

TEST(ChannelTest, AReceiveStoppedWhileItWaitsTakesNothing) {
  Loop loop;
  Loop other;
  Channel<int> channel(1);
  auto stopped = loop.start(receive(channel));
  auto waits_on = other.start(receive(channel));
  loop.run_ready();
  other.run_ready();

  loop.stop();
  loop.run_ready();
  other.run(send(channel, 7));

  EXPECT_EQ(stopped.take(), std::nullopt);
  EXPECT_EQ(waits_on.take(), 7);
}

TEST(ChannelTest, AnItemSentInTheTurnInWhichTheReceiverWasStoppedStaysQueued) {
  Loop loop;
  Loop other;
  Channel<int> channel(1);
  auto receiving = loop.start(receive(channel));
  loop.run_ready();

  loop.stop();
  other.run(send(channel, 7));
  loop.run_ready();

  EXPECT_EQ(receiving.take(), std::nullopt);
  EXPECT_EQ(other.run(receive(channel)), 7);
}

TEST(ChannelTest, TrySendIsRefusedWhenItIsFullOrClosedAndLeavesTheItem) {
  Channel<std::unique_ptr<int>> channel(1);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);

  EXPECT_TRUE(channel.try_send(first));
  EXPECT_EQ(first, nullptr);
  EXPECT_FALSE(channel.try_send(second));
  EXPECT_NE(second, nullptr);
  EXPECT_NE(channel.try_receive(), std::nullopt);
  channel.close();

  EXPECT_FALSE(channel.try_send(std::make_unique<int>(3)));
  EXPECT_NE(second, nullptr);
}

TEST(ChannelTest, TrySendHandsTheItemToAWaitingReceiver) {
  Loop loop;
  Channel<int> channel(1);
  auto receiving = loop.start(receive(channel));
  loop.run_ready();

  EXPECT_TRUE(channel.try_send(7));
  EXPECT_EQ(channel.size(), 0U);
  loop.run_ready();

  EXPECT_EQ(receiving.take(), 7);
}

TEST(ChannelTest, TryReceiveTakesWhatIsQueuedAndMakesRoomForAWaitingSender) {
  Loop loop;
  Channel<int> channel(1);
  EXPECT_EQ(channel.try_receive(), std::nullopt);
  EXPECT_TRUE(channel.try_send(1));
  auto sending = loop.start(send(channel, 2));
  loop.run_ready();

  EXPECT_EQ(channel.try_receive(), 1);
  loop.run_ready();

  EXPECT_TRUE(sending.take());
  EXPECT_EQ(channel.try_receive(), 2);
  EXPECT_EQ(channel.try_receive(), std::nullopt);
}

TEST(ChannelTest, EveryItemIsDestroyedOnceWhateverBecameOfIt) {
  Loop loop;
  Counted::Counts counts;
  auto body = [](Counted::Counts& all) -> Task<void> {
    Channel<Counted> channel(2);
    co_await channel.send(Counted(all, 1));
    co_await channel.send(Counted(all, 2));
    auto received = co_await channel.receive();
    CO_ASSERT_EQ(received->value, 1);
    channel.close();
    co_await channel.send(Counted(all, 3));
  };

  loop.run(body(counts));

  EXPECT_EQ(counts.made, 3);
  EXPECT_EQ(counts.destroyed, 3);
}

TEST(ChannelTest, ManySendersAndReceiversLoseAndRepeatNothing) {
  constexpr int kSenders = 8;
  constexpr int kItemsEach = 5'000;
  Loop loop;
  Channel<int> channel(3);
  std::vector<int> seen(kSenders * kItemsEach);
  auto sender = [](Channel<int>& to, int first) -> Task<void> {
    for (int i = 0; i < kItemsEach; ++i) co_await to.send(first + i);
  };
  auto receiver = [](Channel<int>& from, std::vector<int>& counts) -> Task<void> {
    while (auto item = co_await from.receive()) ++counts[static_cast<std::size_t>(*item)];
  };
  auto body = [&]() -> Task<void> {
    Scope receivers;
    Scope senders;
    for (int i = 0; i < 5; ++i) receivers.spawn(receiver(channel, seen));
    for (int i = 0; i < kSenders; ++i) senders.spawn(sender(channel, i * kItemsEach));
    co_await senders.join();
    channel.close();
    co_await receivers.join();
  };

  loop.run(body());

  for (int count : seen) ASSERT_EQ(count, 1);
}

}  // namespace
}  // namespace wharf::coro
