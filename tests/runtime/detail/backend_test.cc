// What a Backend promises about submitting, cancelling, sleeping and waking, on each of them.
#include "wharf/runtime/backend.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <deque>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/base/sys.h"
#include "wharf/tests/runtime/detail/each_backend.h"

namespace wharf::runtime::detail {
namespace {

using test::Recorder;
using test::Results;
using test::SocketPair;

using BackendTest = test::EachBackend;
WHARF_EACH_BACKEND(BackendTest);

TEST_P(BackendTest, NothingToDoMakesNoSystemCall) {
  make();
  const BackendCounters before = backend_->counters();
  const std::uint64_t calls = sys::counters().total;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(backend_->poll(), 0U);

  EXPECT_EQ(backend_->counters().enters, before.enters);
  EXPECT_EQ(sys::counters().total, calls);
}

TEST_P(BackendTest, WhatNeedNotWaitEndsInOnePoll) {
  make();
  std::deque<Recorder> operations(10);
  for (Recorder& operation : operations) backend_->submit(operation);
  for (Recorder& operation : operations) EXPECT_TRUE(operation.results.empty());

  EXPECT_EQ(backend_->poll(), 10U);

  for (Recorder& operation : operations) EXPECT_TRUE(operation.done());
}

TEST_P(BackendTest, AnOperationThatWaitsEndsWithItsData) {
  make();
  SocketPair pair;
  Recorder operation(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
  backend_->submit(operation);
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);

  EXPECT_EQ(backend_->wait(kNever), 1U);

  EXPECT_TRUE(operation.done());
  EXPECT_EQ(operation.results, Results{4});
  EXPECT_EQ(std::string_view(buffer_, 4), "quay");
}

TEST_P(BackendTest, AQueuedOperationIsCancelledWithoutTheKernel) {
  make();
  Recorder operation;
  const BackendCounters before = backend_->counters();
  backend_->submit(operation);
  backend_->cancel(operation);
  backend_->cancel(operation);
  EXPECT_TRUE(operation.in_flight());
  EXPECT_TRUE(operation.results.empty());  // never before submit() or cancel() has returned

  EXPECT_EQ(backend_->wait(kNever), 1U);  // and does not sleep over it

  EXPECT_EQ(operation.results, Results{-ECANCELED});
  EXPECT_EQ(backend_->counters().submitted, before.submitted);
  EXPECT_EQ(backend_->counters().enters, before.enters);
}

TEST_P(BackendTest, AnOperationInTheKernelIsCancelledOnce) {
  make();
  SocketPair pair;
  Recorder operation(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
  backend_->submit(operation);
  backend_->poll();
  backend_->cancel(operation);
  backend_->cancel(operation);
  EXPECT_TRUE(operation.results.empty());
  wait_for(operation);

  EXPECT_EQ(operation.results, Results{-ECANCELED});
  EXPECT_EQ(backend_->counters().cancels, 1U);
}

struct Canceller final : Operation {
  Canceller(Backend& owner, Operation& other) : backend(owner), target(other) {}
  void on_complete(std::int32_t, bool) noexcept override { backend.cancel(target); }
  Backend& backend;
  Operation& target;
};

TEST_P(BackendTest, ACompletionThatIsThereBeforeTheCancelWins) {
  make();
  Recorder operation;
  Canceller first(*backend_, operation);
  backend_->submit(first);
  backend_->submit(operation);

  EXPECT_EQ(backend_->poll(), 2U);

  EXPECT_EQ(operation.results, Results{0});
  // The operation may be used again at once, and its cancellation is forgotten.
  backend_->submit(operation);
  EXPECT_EQ(backend_->poll(), 1U);
  EXPECT_EQ(operation.results, (Results{0, 0}));
  EXPECT_EQ(backend_->counters().cancels, 0U);
}

TEST_P(BackendTest, AnOperationCancelledWhileItsDataComesEndsOnceAndLosesNothing) {
  make();
  SocketPair pair;
  Recorder operation(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
  backend_->submit(operation);
  backend_->poll();
  EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  backend_->cancel(operation);
  wait_for(operation);

  EXPECT_TRUE(operation.done());
  if (operation.results.at(0) == -ECANCELED) {
    EXPECT_EQ(::recv(pair.left.get(), buffer_, sizeof(buffer_), MSG_DONTWAIT), 4);
  } else {
    EXPECT_EQ(operation.results.at(0), 4);
  }
}

TEST_P(BackendTest, OneCompletionMayCancelAnotherThatIsAboutToCome) {
  make();
  SocketPair first_pair;
  SocketPair second_pair;
  Recorder second(Opcode::kRecv, second_pair.left.get(), buffer_, sizeof(buffer_));
  Canceller first(*backend_, second);
  first.opcode = Opcode::kPoll;
  first.fd = first_pair.left.get();
  first.flags = POLLIN;
  backend_->submit(first);
  backend_->submit(second);
  backend_->poll();
  EXPECT_EQ(::write(first_pair.right.get(), "x", 1), 1);
  EXPECT_EQ(::write(second_pair.right.get(), "x", 1), 1);
  while (first.in_flight() || second.in_flight()) backend_->wait(kNever);

  EXPECT_EQ(second.final_count, 1);
  const bool taken = second.results.at(0) == 1;
  EXPECT_EQ(::recv(second_pair.left.get(), buffer_, 1, MSG_DONTWAIT), taken ? -1 : 1);
}

TEST_P(BackendTest, CancellingWhatIsNotInFlightDoesNothing) {
  make();
  Recorder operation;
  backend_->cancel(operation);

  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_TRUE(operation.results.empty());
}

TEST_P(BackendTest, MoreThanOperationsMaxWaitTheirTurnAndNothingIsLost) {
  make(4, 4);
  std::deque<SocketPair> pairs(12);
  std::deque<Recorder> operations;
  for (SocketPair& pair : pairs) {
    operations.emplace_back(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
    backend_->submit(operations.back());
  }
  EXPECT_EQ(backend_->poll(), 0U);
  EXPECT_EQ(submitted(), 4U);
  EXPECT_GT(backend_->counters().deferred, 0U);

  for (SocketPair& pair : pairs) EXPECT_EQ(::write(pair.right.get(), "x", 1), 1);
  std::size_t done = 0;
  while (done < operations.size()) done += backend_->wait(kNever);

  for (Recorder& operation : operations) EXPECT_EQ(operation.results, Results{1});
}

TEST_P(BackendTest, OperationsInFullRoomCanAllBeCancelled) {
  make(4, 4);
  std::deque<SocketPair> pairs(8);
  std::deque<Recorder> operations;
  for (SocketPair& pair : pairs) {
    operations.emplace_back(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
    backend_->submit(operations.back());
  }
  backend_->poll();
  for (Recorder& operation : operations) backend_->cancel(operation);
  std::size_t done = 0;
  while (done < operations.size()) done += backend_->wait(kNever);

  for (Recorder& operation : operations) EXPECT_EQ(operation.results, Results{-ECANCELED});
}

TEST_P(BackendTest, ASleepEndsAtItsDeadline) {
  make();
  const std::int64_t deadline = backend_->now_ns() + 2'000'000;
  EXPECT_EQ(backend_->wait(deadline), 0U);

  EXPECT_GE(backend_->now_ns(), deadline);
  EXPECT_GT(backend_->counters().sleeps, 0U);
}

TEST_P(BackendTest, ADeadlineInThePastDoesNotSleep) {
  make();

  EXPECT_EQ(backend_->wait(backend_->now_ns() - 1), 0U);
}

TEST_P(BackendTest, AWakeEndsASleep) {
  make();
  std::thread waker([this] { backend_->wake(); });

  EXPECT_GT(backend_->wait(kNever), 0U);

  waker.join();
}

std::atomic<int> signals_handled{0};

void handle_signal(int /*signal*/) { signals_handled.fetch_add(1); }

TEST_P(BackendTest, ASignalEndsNoSleep) {
  make();
  struct sigaction action{};
  struct sigaction old{};
  action.sa_handler = handle_signal;  // without SA_RESTART
  EXPECT_EQ(::sigaction(SIGUSR1, &action, &old), 0);
  std::atomic<bool> woken{false};
  std::thread waker([this, &woken, target = ::pthread_self()] {
    for (const int end = signals_handled.load() + 20; signals_handled.load() < end;) {
      ::pthread_kill(target, SIGUSR1);
      std::this_thread::yield();
    }
    woken.store(true);
    backend_->wake();
  });

  EXPECT_GT(backend_->wait(kNever), 0U);

  EXPECT_TRUE(woken.load());
  waker.join();
  EXPECT_EQ(::sigaction(SIGUSR1, &old, nullptr), 0);
}

TEST_P(BackendTest, ASignalEndsNoSleepBeforeItsDeadline) {
  make();
  struct sigaction action{};
  struct sigaction old{};
  action.sa_handler = handle_signal;
  EXPECT_EQ(::sigaction(SIGUSR1, &action, &old), 0);
  std::atomic<bool> over{false};
  std::thread disturber([&over, target = ::pthread_self()] {
    while (!over.load()) {
      ::pthread_kill(target, SIGUSR1);
      std::this_thread::yield();
    }
  });
  const std::int64_t deadline = backend_->now_ns() + 20'000'000;

  EXPECT_EQ(backend_->wait(deadline), 0U);

  EXPECT_GE(backend_->now_ns(), deadline);
  over.store(true);
  disturber.join();
  EXPECT_EQ(::sigaction(SIGUSR1, &old, nullptr), 0);
}

TEST_P(BackendTest, AWakeBeforeTheSleepEndsIt) {
  make();
  backend_->wake();
  backend_->wake();

  EXPECT_GT(backend_->wait(kNever), 0U);
}

TEST_P(BackendTest, NoWakeOfManyThreadsIsLost) {
  make();
  std::atomic<int> said{0};
  std::vector<std::thread> wakers;
  for (int i = 0; i < 4; ++i) {
    wakers.emplace_back([&] {
      for (int k = 0; k < 200; ++k) {
        said.fetch_add(1);
        backend_->wake();
      }
    });
  }
  // Each look is followed by a sleep that a wake after the look ends.
  for (int heard = 0; heard < 800; heard = said.load()) backend_->wait(kNever);
  for (std::thread& waker : wakers) waker.join();

  EXPECT_EQ(said.load(), 800);
}

TEST_P(BackendTest, OptionsOutOfRangeAreRefused) {
  EXPECT_EQ(create(16, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(create(16, 40'000).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(create(256, 1).ok());
}

TEST_P(BackendTest, NoFileDescriptorIsAnErrorThatSaysSo) {
  const test::NoMoreFds none;

  const Status status = create(16, 64).status();

  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
  EXPECT_NE(status.message().find("EMFILE"), std::string::npos) << status;
  EXPECT_NE(status.message().find("raise ulimit -n"), std::string::npos) << status;
}

TEST_P(BackendTest, LeavesNoDescriptorBehind) {
  const std::size_t before = test::open_fd_count();
  make();
  EXPECT_EQ(test::open_fd_count(), before + 2);
  SocketPair pair;
  Recorder operation(Opcode::kRecv, pair.left.get(), buffer_, sizeof(buffer_));
  backend_->submit(operation);
  backend_->poll();
  backend_->cancel(operation);
  wait_for(operation);
  EXPECT_EQ(test::open_fd_count(), before + 4);
  backend_.reset();

  EXPECT_EQ(test::open_fd_count(), before + 2);  // the pair
}

using BackendDeathTest = BackendTest;
WHARF_EACH_BACKEND(BackendDeathTest);

TEST_P(BackendDeathTest, DyingWithAnOperationInFlightAborts) {
  EXPECT_DEATH(
      {
        make();
        Recorder operation;
        backend_->submit(operation);
        backend_.reset();
      },
      "destroyed with operations in flight");
}

TEST_P(BackendDeathTest, SubmittingTwiceAborts) {
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
