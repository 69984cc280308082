// M13: received messages are read, answered and dropped on other threads; what they hold goes home.
#include "wharf/ipc/remote_message.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

class RemoteMessageTest : public PortRowTest {};

using Work = void (*)(ipc::RemoteMessage message);

// Threads without a reactor, that do the same with every message.
class Pool {
 public:
  Pool(std::size_t thread_count, Work work) : work_(work) {
    for (std::size_t i = 0; i < thread_count; ++i) threads_.emplace_back([this] { serve(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    news_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void push(ipc::RemoteMessage message) {
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
    news_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      news_.wait(lock, [this] { return closed_ || !messages_.empty(); });
      if (messages_.empty()) return;
      ipc::RemoteMessage message = std::move(messages_.front());
      messages_.pop_front();
      lock.unlock();
      work_(std::move(message));
      lock.lock();
    }
  }

  const Work work_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<ipc::RemoteMessage> messages_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

coro::Task<ipc::PortCounters> ask_counters(ipc::Port& port) {
  std::string answer = co_await ask(port, ipc::Message("counters?"));
  co_return value_of<ipc::PortCounters>(answer);
}

constexpr std::uint64_t kMessages = kSanitized ? 1'000 : 10'000;

coro::Task<void> drop_elsewhere(ipc::Port& port, PeerProcess& /*peer*/) {
  {
    Pool pool(4, [](ipc::RemoteMessage message) { EXPECT_EQ(message->size_bytes(), 4096u); });
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      auto message = co_await port.receive();
      CO_ASSERT_TRUE(message.has_value());
      EXPECT_EQ(value_of<std::uint64_t>(message->to_string()), i);
      pool.push(std::move(*message).detach());
    }
  }
  ipc::PortCounters theirs = co_await ask_counters(port);
  while (theirs.blocks_lent_now != 0) theirs = co_await ask_counters(port);

  EXPECT_EQ(theirs.blocks_lent, kMessages);
  EXPECT_EQ(theirs.arena_used_bytes, 0u) << "free and lent together are all there is";
}

TEST_F(LaneRowTest, M13_BlocksThatAreDroppedOnOtherThreadsGoHome) {
  PeerSetup setup = peer_setup("lend_then_count");
  setup.argument = kMessages;

  run(setup, drop_elsewhere);
}

void answer_in_threes(ipc::RemoteMessage message) {
  if (message->type() % 3 == 0) {
    EXPECT_OK(message.reply(ipc::Message(message->to_string())));
  } else if (message->type() % 3 == 1) {
    EXPECT_EQ(message.reply_error(absl::OkStatus()).code(), StatusCode::kInvalidArgument);
    EXPECT_OK(message.reply_error(absl::NotFoundError("not here")));
  }
}

coro::Task<void> answer_elsewhere(ipc::Port& port, PeerProcess& /*peer*/) {
  Pool pool(4, answer_in_threes);
  while (auto message = co_await port.receive()) {
    if (!message->is_request()) break;
    pool.push(std::move(*message).detach());
  }
}

TEST_P(RemoteMessageTest, M13_RequestsAreAnsweredFromOtherThreads) {
  PeerSetup calls = setup("call_in_threes");
  calls.argument = kSanitized ? 300 : 1500;

  run(calls, answer_elsewhere);
}

coro::Task<void> close_descriptors_elsewhere(ipc::Port& port, PeerProcess& /*peer*/) {
  Tracer tracer;
  runtime::UniqueFd taken;
  ipc::Message message("there and back");
  message.attach(numbered_file(41)).attach(tracer.take());
  Status sent = co_await port.send(std::move(message));
  EXPECT_OK(sent);
  auto echoed = co_await port.receive();
  CO_ASSERT_TRUE(echoed.has_value());

  std::thread([&taken, remote = std::move(*echoed).detach()]() mutable {
    taken = remote.take_fd(0);
    EXPECT_EQ(remote.reply(ipc::Message("to what?")).code(), StatusCode::kInvalidArgument);
  }).join();

  co_await tracer.until_closed_everywhere();
  EXPECT_EQ(number_in(taken), 41u);
}

TEST_P(RemoteMessageTest, M13_DescriptorsAreTakenOrClosed) { run(setup("echo"), close_descriptors_elsewhere); }

coro::Task<void> keep_messages(PeerSetup setup, std::vector<ipc::RemoteMessage>& kept) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  for (std::uint64_t i = 0; i < setup.argument; ++i) {
    auto message = co_await port->receive();
    CO_ASSERT_TRUE(message.has_value());
    kept.push_back(std::move(*message).detach());
  }
  port.reset();
  co_await peer.join();
}

// The memory stays mapped for as long as a message shows it. Two threads then drop what shares one mapping.
TEST_F(LaneRowTest, M13_MessagesOutliveThePortAndItsReactor) {
  PeerSetup setup = peer_setup("lend_then_count");
  setup.argument = 200;
  std::vector<ipc::RemoteMessage> kept;
  run(keep_messages(setup, kept));
  ASSERT_EQ(kept.size(), 200u);
  std::vector<ipc::RemoteMessage> half;
  for (std::uint64_t i = 0; i < 100; ++i) {
    half.push_back(std::move(kept.back()));
    kept.pop_back();
  }

  std::thread first([&kept] {
    for (std::uint64_t i = 0; i < kept.size(); ++i) {
      EXPECT_EQ(value_of<std::uint64_t>(kept[i]->to_string()), i);
    }
    kept.clear();
  });
  std::thread second([&half] { half.clear(); });
  first.join();
  second.join();
}

INSTANTIATE_TEST_SUITE_P(, RemoteMessageTest, ::testing::Values(Route::kSharedMemory, Route::kSocket), route_name);

}  // namespace
}  // namespace wharf::test
