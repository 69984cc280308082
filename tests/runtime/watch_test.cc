#include "wharf/runtime/watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Task;
using test::FakeBackend;
using test::Harness;
using test::SocketPair;

class Recorder final : public Watch {
 public:
  Recorder(Reactor& reactor, int fd, unsigned poll_events) : Watch(reactor, fd, poll_events) {}
  std::vector<std::uint32_t> reports;
  std::function<void()> also;

 private:
  void on_ready(std::uint32_t events) noexcept override {
    reports.push_back(events);
    if (also) std::exchange(also, nullptr)();
  }
};

Task<void> wait_for(coro::Event& event) { co_await event.wait(); }

TEST(WatchTest, ReportsEveryEdgeOfAnEventfdThatNobodyReads) {
  Harness harness;
  const UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Recorder watch(harness.reactor(), bell.get(), POLLIN);
  for (std::size_t ring = 1; ring <= 3; ++ring) {
    coro::Event rung;
    watch.also = [&] { rung.set(); };
    EXPECT_EQ(::eventfd_write(bell.get(), 1), 0);
    harness.run(wait_for(rung));

    EXPECT_EQ(watch.reports.size(), ring);
    EXPECT_EQ(watch.reports.back(), POLLIN);
  }

  EXPECT_TRUE(watch.is_open());
}

TEST(WatchTest, ReportsThePeersEnd) {
  Harness harness;
  SocketPair pair;
  Recorder watch(harness.reactor(), pair.left.get(), POLLIN | POLLRDHUP);
  coro::Event ended;
  watch.also = [&] { ended.set(); };
  pair.right.reset();
  harness.run(wait_for(ended));

  EXPECT_NE(watch.reports.back() & POLLHUP, 0U);
}

TEST(WatchTest, ABadDescriptorIsReportedAsPollerrOnce) {
  Harness harness;
  Recorder watch(harness.reactor(), 1'000'000, POLLIN);
  coro::Event reported;
  watch.also = [&] { reported.set(); };
  harness.run(wait_for(reported));
  harness.run(test::next_turn());

  EXPECT_EQ(watch.reports, (std::vector<std::uint32_t>{POLLERR}));
  EXPECT_FALSE(watch.is_open());
}

TEST(WatchTest, AfterCloseNothingIsReported) {
  Harness harness;
  const UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Recorder watch(harness.reactor(), bell.get(), POLLIN);
  harness.run(test::next_turn());
  EXPECT_EQ(::eventfd_write(bell.get(), 1), 0);
  watch.close();
  watch.close();
  harness.run(test::next_turn());

  EXPECT_TRUE(watch.reports.empty());
  EXPECT_FALSE(watch.is_open());
}

TEST(WatchTest, ClosingLetsGoOfTheFile) {
  Harness harness;
  SocketPair pair;
  auto watch = std::make_unique<Recorder>(harness.reactor(), pair.left.get(), POLLIN);
  harness.run(test::next_turn());
  watch.reset();
  pair.left.reset();
  harness.run(test::next_turn());

  char byte = 0;
  EXPECT_EQ(::recv(pair.right.get(), &byte, 1, MSG_DONTWAIT), 0);  // the end, not EAGAIN
}

TEST(WatchTest, TheReactorMayDieRightAfterTheWatch) {
  SocketPair pair;
  Harness harness;
  harness.run(test::next_turn());
  const Recorder watch(harness.reactor(), pair.left.get(), POLLIN);
}

// With a kernel that the test plays.
class FakeWatchTest : public ::testing::Test {
 protected:
  FakeWatchTest() {
    auto backend = std::make_unique<FakeBackend>();
    kernel_ = backend.get();
    kernel_->on_sleep = [](std::int64_t) {};
    reactor_ = Reactor::create_on(std::move(backend));
    watch_ = std::make_unique<Recorder>(*reactor_, 3, POLLIN);
  }
  void report(std::int32_t result, bool more) {
    kernel_->complete(*kernel_->in_flight.at(0), result, more);
    kernel_->poll();
  }

  FakeBackend* kernel_ = nullptr;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Recorder> watch_;
};

TEST_F(FakeWatchTest, IsOneMultishotPoll) {
  ASSERT_EQ(kernel_->in_flight.size(), 1U);
  const Operation& operation = *kernel_->in_flight[0];

  EXPECT_EQ(operation.opcode, Opcode::kPoll);
  EXPECT_TRUE(operation.multishot);
  EXPECT_EQ(operation.fd, 3);
  EXPECT_EQ(operation.flags, static_cast<std::uint32_t>(POLLIN));
}

TEST_F(FakeWatchTest, ArmsItselfAgainWhenTheKernelEndedIt) {
  report(POLLIN, true);
  EXPECT_EQ(kernel_->counters().submitted, 1U);

  report(POLLIN, false);

  EXPECT_EQ(kernel_->counters().submitted, 2U);
  EXPECT_EQ(kernel_->in_flight.size(), 1U);
  report(POLLIN, true);
  EXPECT_EQ(watch_->reports, (std::vector<std::uint32_t>{POLLIN, POLLIN, POLLIN}));
}

TEST_F(FakeWatchTest, DoesNotArmItselfAgainAfterAnError) {
  report(-EBADF, false);

  EXPECT_EQ(kernel_->in_flight.size(), 0U);
  EXPECT_EQ(watch_->reports, (std::vector<std::uint32_t>{POLLERR}));
  EXPECT_FALSE(watch_->is_open());
}

TEST_F(FakeWatchTest, MayBeDestroyedByItsOwnReport) {
  for (const bool more : {true, false}) {
    watch_ = std::make_unique<Recorder>(*reactor_, 3, POLLIN);
    kernel_->poll();
    watch_->also = [this] { watch_.reset(); };
    report(POLLIN, more);
    EXPECT_EQ(watch_, nullptr);

    kernel_->poll();

    EXPECT_TRUE(kernel_->in_flight.empty());
  }
}

TEST_F(FakeWatchTest, MayBeDestroyedByTheReportOfAnError) {
  watch_->also = [this] { watch_.reset(); };
  report(-EIO, false);

  EXPECT_EQ(watch_, nullptr);
  EXPECT_TRUE(kernel_->in_flight.empty());
}

TEST_F(FakeWatchTest, AReportThatWasOnItsWayWhenItClosedIsDropped) {
  kernel_->complete(*kernel_->in_flight.at(0), POLLIN, true);
  watch_->close();

  kernel_->poll();

  EXPECT_TRUE(watch_->reports.empty());
  EXPECT_TRUE(kernel_->in_flight.empty());
}

}  // namespace
}  // namespace wharf::runtime
