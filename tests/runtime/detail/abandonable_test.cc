#include "wharf/runtime/detail/abandonable.h"

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/post_gate.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/fake_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime::detail {
namespace {

using test::FakeBackend;

struct Log {
  std::vector<int> results;
  std::vector<int> discarded;
  bool destroyed = false;
};

class Recorder final : public Abandonable {
 public:
  Recorder(Reactor& reactor, Log& log) : reactor_(reactor), log_(log) {}
  void start() { Abandonable::start(reactor_); }
  bool abandon_in_result = false;
  bool restart_in_result = false;

 private:
  ~Recorder() override { log_.destroyed = true; }
  void on_result(std::int32_t result, bool more) noexcept override {
    log_.results.push_back(result);
    if (restart_in_result && !more) start();
    if (abandon_in_result) abandon();
  }
  void discard(std::int32_t result) noexcept override { log_.discarded.push_back(result); }

  Reactor& reactor_;
  Log& log_;
};

class AbandonableTest : public ::testing::Test {
 protected:
  AbandonableTest() {
    auto backend = std::make_unique<FakeBackend>();
    kernel_ = backend.get();
    reactor_ = Reactor::create_on(std::move(backend));
    operation_ = new Recorder(*reactor_, log_);
  }
  void deliver(std::int32_t result, bool more) {
    kernel_->complete(*operation_, result, more);
    kernel_->poll();
  }

  FakeBackend* kernel_ = nullptr;
  std::unique_ptr<Reactor> reactor_;
  Log log_;
  Recorder* operation_ = nullptr;
};

TEST_F(AbandonableTest, OneThatIsNotInFlightGoesAtOnce) {
  operation_->abandon();

  EXPECT_TRUE(log_.destroyed);
}

TEST_F(AbandonableTest, OneInFlightGoesWithItsFinalCompletion) {
  operation_->start();
  operation_->abandon();
  EXPECT_FALSE(log_.destroyed);

  kernel_->poll();

  EXPECT_TRUE(log_.destroyed);
  EXPECT_TRUE(log_.results.empty());
  EXPECT_EQ(log_.discarded, (std::vector<int>{-ECANCELED}));
}

TEST_F(AbandonableTest, WhatCompletesAfterwardsIsDiscarded) {
  operation_->start();
  kernel_->complete(*operation_, 8, true);
  operation_->abandon();

  kernel_->poll();

  EXPECT_EQ(log_.discarded, (std::vector<int>{8, -ECANCELED}));
  EXPECT_TRUE(log_.destroyed);
}

TEST_F(AbandonableTest, ItMayBeAbandonedByItsOwnFinalResult) {
  operation_->abandon_in_result = true;
  operation_->start();
  deliver(5, false);

  EXPECT_EQ(log_.results, (std::vector<int>{5}));
  EXPECT_TRUE(log_.destroyed);
}

TEST_F(AbandonableTest, ItMayBeAbandonedByAResultThatIsNotFinal) {
  operation_->abandon_in_result = true;
  operation_->start();
  deliver(5, true);
  EXPECT_FALSE(log_.destroyed);

  kernel_->poll();

  EXPECT_TRUE(log_.destroyed);
}

TEST_F(AbandonableTest, ItMayBeStartedAgainAndAbandonedInOneResult) {
  operation_->restart_in_result = true;
  operation_->abandon_in_result = true;
  operation_->start();
  deliver(5, false);
  EXPECT_FALSE(log_.destroyed);

  kernel_->poll();

  EXPECT_TRUE(log_.destroyed);
  EXPECT_TRUE(kernel_->in_flight.empty());
}

TEST_F(AbandonableTest, TheReactorWaitsForItBeforeItDies) {
  operation_->start();
  operation_->abandon();
  kernel_->on_sleep = [](std::int64_t) {};

  reactor_.reset();

  EXPECT_TRUE(log_.destroyed);
}

// Drops an operation that is in flight.
class Dropping final : public Posted {
 public:
  explicit Dropping(Recorder& operation) : operation_(operation) {}
  void run() noexcept override { ADD_FAILURE() << "the reactor has no turn left"; }
  void drop() noexcept override {
    operation_.abandon();
    delete this;
  }

 private:
  Recorder& operation_;
};

TEST_F(AbandonableTest, TheReactorWaitsForWhatAPostAbandonsWhileItDies) {
  Log last_log;
  auto* const last = new Recorder(*reactor_, last_log);
  last->start();
  operation_->start();
  operation_->abandon();
  int sleeps = 0;
  kernel_->on_sleep = [&, gate = reactor_->gate()](std::int64_t) {
    if (++sleeps == 1) gate->post(*new Dropping(*last));
  };

  reactor_.reset();

  EXPECT_TRUE(log_.destroyed);
  EXPECT_TRUE(last_log.destroyed);
}

}  // namespace
}  // namespace wharf::runtime::detail
