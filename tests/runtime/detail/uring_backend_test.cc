#include "wharf/runtime/detail/uring_backend.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime::detail {
namespace {

using test::SocketPair;
using test::Watchdog;

struct Recorder final : Operation {
  void on_complete(std::int32_t result, bool more) noexcept override {
    results.push_back(result);
    final_count += more ? 0 : 1;
  }
  bool done() const noexcept { return final_count == 1 && !in_flight(); }
  std::vector<std::int32_t> results;
  int final_count = 0;
};

// On every way to set up a ring.
class UringBackendTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  void make(std::uint32_t ring_entries = 16, std::uint32_t operations_max = 64) {
    auto backend = UringBackend::create(ring_entries, operations_max, GetParam());
    ASSERT_TRUE(backend.ok()) << backend.status();
    backend_ = *std::move(backend);
    backend_->poll();  // the waker is in the kernel
  }
  void prepare_recv(Recorder& operation, int fd) {
    operation.opcode = Opcode::kRecv;
    operation.fd = fd;
    operation.memory = buffer_;
    operation.memory_bytes = sizeof(buffer_);
  }

  Watchdog watchdog_;
  std::unique_ptr<Backend> backend_;
  char buffer_[64];
};

TEST_P(UringBackendTest, NothingToDoMakesNoSystemCall) {
  make();
  const BackendCounters before = backend_->counters();
  const std::uint64_t calls = sys::counters().total;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(backend_->poll(), 0U);

  EXPECT_EQ(backend_->counters().enters, before.enters);
  EXPECT_EQ(sys::counters().total, calls);
}

TEST_P(UringBackendTest, OneEnterSubmitsAndReapsEverything) {
  make();
  std::deque<Recorder> operations(10);
  const std::uint64_t before = backend_->counters().enters;
  for (Recorder& operation : operations) backend_->submit(operation);

  EXPECT_EQ(backend_->poll(), 10U);

  EXPECT_EQ(backend_->counters().enters, before + 1);
  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
}

TEST_P(UringBackendTest, AnOperationThatWaitsEndsWithItsData) {
  make();
  SocketPair pair;
  Recorder operation;
  prepare_recv(operation, pair.left.get());
  backend_->submit(operation);
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);

  EXPECT_EQ(backend_->wait(kNever), 1U);

  EXPECT_TRUE(operation.done());
  EXPECT_EQ(operation.results, (std::vector<std::int32_t>{4}));
  EXPECT_EQ(std::string_view(buffer_, 4), "quay");
}

TEST_P(UringBackendTest, AQueuedOperationIsCancelledWithoutTheKernel) {
  make();
  Recorder operation;
  const BackendCounters before = backend_->counters();
  backend_->submit(operation);
  backend_->cancel(operation);
  backend_->cancel(operation);
  EXPECT_TRUE(operation.in_flight());
  EXPECT_TRUE(operation.results.empty());  // never before submit() or cancel() has returned

  EXPECT_EQ(backend_->wait(kNever), 1U);  // and does not sleep over it

  EXPECT_EQ(operation.results, (std::vector<std::int32_t>{-ECANCELED}));
  EXPECT_EQ(backend_->counters().submitted, before.submitted);
  EXPECT_EQ(backend_->counters().enters, before.enters);
}

TEST_P(UringBackendTest, AnOperationInTheKernelIsCancelledOnce) {
  make();
  SocketPair pair;
  Recorder operation;
  prepare_recv(operation, pair.left.get());
  backend_->submit(operation);
  backend_->poll();
  backend_->cancel(operation);
  backend_->cancel(operation);
  while (!operation.done()) backend_->wait(kNever);

  EXPECT_EQ(operation.results, (std::vector<std::int32_t>{-ECANCELED}));
  EXPECT_EQ(backend_->counters().cancels, 1U);
}

struct Canceller final : Operation {
  Canceller(Backend& owner, Operation& other) : backend(owner), target(other) {}
  void on_complete(std::int32_t, bool) noexcept override { backend.cancel(target); }
  Backend& backend;
  Operation& target;
};

TEST_P(UringBackendTest, ACompletionThatIsThereBeforeTheCancelWins) {
  make();
  Recorder operation;
  Canceller first(*backend_, operation);
  backend_->submit(first);
  backend_->submit(operation);

  EXPECT_EQ(backend_->poll(), 2U);

  EXPECT_EQ(operation.results, (std::vector<std::int32_t>{0}));
  // The operation may be used again at once, and its cancellation is forgotten.
  backend_->submit(operation);
  EXPECT_EQ(backend_->poll(), 1U);
  EXPECT_EQ(operation.results, (std::vector<std::int32_t>{0, 0}));
  EXPECT_EQ(backend_->counters().cancels, 0U);
}

TEST_P(UringBackendTest, AnOperationCancelledWhileItsDataComesEndsOnceAndLosesNothing) {
  make();
  SocketPair pair;
  Recorder operation;
  prepare_recv(operation, pair.left.get());
  backend_->submit(operation);
  backend_->poll();
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  backend_->cancel(operation);
  while (!operation.done()) backend_->wait(kNever);

  if (operation.results.at(0) == -ECANCELED) {
    EXPECT_EQ(::recv(pair.left.get(), buffer_, sizeof(buffer_), MSG_DONTWAIT), 4);
  } else {
    EXPECT_EQ(operation.results.at(0), 4);
  }
}

TEST_P(UringBackendTest, CancellingWhatIsNotInFlightDoesNothing) {
  make();
  Recorder operation;
  backend_->cancel(operation);

  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_TRUE(operation.results.empty());
}

TEST_P(UringBackendTest, MoreThanTheRingHoldsIsSubmittedInSeveralEnters) {
  make(8, 64);
  std::deque<Recorder> operations(40);
  const std::uint64_t before = backend_->counters().enters;
  for (Recorder& operation : operations) backend_->submit(operation);
  backend_->poll();
  while (backend_->poll() != 0) {
  }

  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
  EXPECT_EQ(backend_->counters().enters, before + 5);
}

TEST_P(UringBackendTest, MoreThanOperationsMaxWaitTheirTurnAndNothingIsLost) {
  make(4, 4);
  std::deque<SocketPair> pairs(12);
  std::deque<Recorder> operations(12);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    prepare_recv(operations[i], pairs[i].left.get());
    backend_->submit(operations[i]);
  }
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(backend_->counters().submitted, 1U + 4U);  // and the waker
  EXPECT_GT(backend_->counters().deferred, 0U);

  for (SocketPair& pair : pairs) EXPECT_EQ(::write(pair.right.get(), "x", 1), 1);
  std::size_t done = 0;
  while (done < operations.size()) done += backend_->wait(kNever);

  for (Recorder& operation : operations) {
    EXPECT_EQ(operation.results, (std::vector<std::int32_t>{1}));
  }
}

TEST_P(UringBackendTest, OperationsInFullRoomCanAllBeCancelled) {
  make(4, 4);
  std::deque<SocketPair> pairs(8);
  std::deque<Recorder> operations(8);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    prepare_recv(operations[i], pairs[i].left.get());
    backend_->submit(operations[i]);
  }
  backend_->poll();
  for (Recorder& operation : operations) backend_->cancel(operation);
  std::size_t done = 0;
  while (done < operations.size()) done += backend_->wait(kNever);

  for (Recorder& operation : operations) {
    EXPECT_EQ(operation.results, (std::vector<std::int32_t>{-ECANCELED}));
  }
}

TEST_P(UringBackendTest, AMultishotPollReportsEachEdge) {
  make();
  const UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Recorder operation;
  operation.opcode = Opcode::kPoll;
  operation.multishot = true;
  operation.fd = bell.get();
  operation.flags = POLLIN;
  backend_->submit(operation);
  EXPECT_EQ(backend_->poll(), 0U);

  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(::eventfd_write(bell.get(), 1), 0);  // and never read
    EXPECT_EQ(backend_->wait(kNever), 1U);
    EXPECT_EQ(operation.results.size(), static_cast<std::size_t>(i));
    EXPECT_EQ(operation.results.back(), POLLIN);
  }

  EXPECT_TRUE(operation.in_flight());
  backend_->cancel(operation);
  while (operation.in_flight()) backend_->wait(kNever);
  EXPECT_EQ(operation.final_count, 1);
}

TEST_P(UringBackendTest, ASleepEndsAtItsDeadline) {
  make();
  const std::int64_t deadline = backend_->now_ns() + 2'000'000;
  while (backend_->now_ns() < deadline) backend_->wait(deadline);

  EXPECT_GE(backend_->now_ns(), deadline);
  EXPECT_GT(backend_->counters().sleeps, 0U);
}

TEST_P(UringBackendTest, ADeadlineInThePastDoesNotSleep) {
  make();

  EXPECT_EQ(backend_->wait(backend_->now_ns() - 1), 0U);
}

TEST_P(UringBackendTest, AWakeEndsASleep) {
  make();
  std::thread waker([this] { backend_->wake(); });
  EXPECT_EQ(backend_->wait(kNever), 1U);
  waker.join();
}

TEST_P(UringBackendTest, AWakeBeforeTheSleepEndsIt) {
  make();
  backend_->wake();
  backend_->wake();

  EXPECT_GT(backend_->wait(kNever), 0U);
}

TEST_P(UringBackendTest, OptionsOutOfRangeAreRefused) {
  EXPECT_EQ(UringBackend::create(0, 64).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(UringBackend::create(16, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(UringBackend::create(16, 40'000).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(UringBackend::create(256, 1).ok());
}

TEST_P(UringBackendTest, NoFileDescriptorIsAnErrorThatSaysSo) {
  const test::NoMoreFds none;

  const Status status = UringBackend::create(16, 64).status();

  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_NE(status.message().find("EMFILE"), std::string::npos) << status;
}

TEST_P(UringBackendTest, LeavesNoDescriptorBehind) {
  const std::size_t before = test::open_fd_count();
  make();
  EXPECT_EQ(test::open_fd_count(), before + 2);
  backend_.reset();

  EXPECT_EQ(test::open_fd_count(), before);
}

INSTANTIATE_TEST_SUITE_P(Setups, UringBackendTest,
                         ::testing::Range(std::size_t{0}, UringBackend::kSetupCount));

using UringBackendDeathTest = UringBackendTest;

INSTANTIATE_TEST_SUITE_P(Setups, UringBackendDeathTest,
                         ::testing::Range(std::size_t{0}, UringBackend::kSetupCount));

TEST_P(UringBackendDeathTest, DyingWithAnOperationInFlightAborts) {
  EXPECT_DEATH(
      {
        make();
        Recorder operation;
        backend_->submit(operation);
        backend_.reset();
      },
      "destroyed with operations in flight");
}

TEST_P(UringBackendDeathTest, SubmittingTwiceAborts) {
  EXPECT_DEATH(
      {
        make();
        Recorder operation;
        backend_->submit(operation);
        backend_->submit(operation);
      },
      "submitted while it was in flight");
}

}  // namespace
}  // namespace wharf::runtime::detail
