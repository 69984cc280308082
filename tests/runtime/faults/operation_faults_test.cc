// Every script with every fault of the kernel's: the k-th submission and the k-th completion fail, and the k-th transfer is
// short, for each k until a script ends without having met the fault.
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/detail/uring_backend.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/faults/fault_backend.h"
#include "wharf/tests/runtime/faults/scripts.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::test {
namespace {

enum class Kernel : std::uint8_t { kUring, kEpoll };

// What a run may leave behind: nothing.
struct Census {
  std::size_t fds = open_fd_count();
  std::uint64_t frames = coro::frame_counters().allocated - coro::frame_counters().freed;
  bool operator==(const Census&) const = default;
};

class OperationFaultTest : public ::testing::TestWithParam<std::tuple<Kernel, Script>> {
 protected:
  void SetUp() override {
    if (std::get<0>(GetParam()) == Kernel::kUring) WHARF_NEEDS_URING();
    std::signal(SIGPIPE, SIG_IGN);
    auto kernel = std::get<0>(GetParam()) == Kernel::kUring ? runtime::detail::UringBackend::create(64, 256, 0)
                                                            : runtime::detail::EpollBackend::create(256);
    EXPECT_TRUE(kernel.ok()) << kernel.status();
    auto backend = std::make_unique<FaultBackend>(*std::move(kernel));
    backend_ = backend.get();
    reactor_ = runtime::Reactor::create_on(std::move(backend));
    EXPECT_TRUE(run({}).ok());  // threads and descriptors that stay are made
  }

  Status run(const FaultPlan& plan) {
    const TemporaryDirectory directory;
    backend_->set_plan(plan);
    Status status = reactor_->run(std::get<1>(GetParam()).run(directory.path()));
    const std::uint64_t left = backend_->in_flight_count();
    EXPECT_EQ(left, 0U) << "operations are in flight";
    return status;
  }

  // Fails everything of this kind, one after the other. `judge` sees what came of a fault that was met.
  template <class Judge>
  void try_each(Fault fault, int error, Judge judge) {
    for (std::uint64_t k = 1; !HasFailure(); ++k) {
      SCOPED_TRACE("fault " + std::to_string(k) + ", error " + std::to_string(error));
      const Census before;
      const Status status = run({fault, k, error});
      const bool met = backend_->faults_met() != 0;

      EXPECT_EQ(Census().fds, before.fds);
      EXPECT_EQ(Census().frames, before.frames);
      EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT), -1) << "a child is left";
      if (!met) {
        EXPECT_TRUE(status.ok()) << status;
        return;
      }
      judge(status);
      const Status again = run({});
      EXPECT_TRUE(again.ok()) << again;
    }
  }
  void try_each_error(Fault fault) {
    for (const int error : {ENOMEM, EAGAIN, EIO, ECANCELED}) {
      try_each(fault, error, [](const Status& status) {
        if (status.ok()) return;  // it was made up for
        EXPECT_NE(status.message().find(':'), absl::string_view::npos) << "names no operation: " << status;
        EXPECT_EQ(status.message().find("script"), absl::string_view::npos) << "came late: " << status;
      });
    }
  }

  Watchdog watchdog_;
  FaultBackend* backend_ = nullptr;
  std::unique_ptr<runtime::Reactor> reactor_;
};

TEST_P(OperationFaultTest, EachSubmissionThatFailsIsAStatusAndLeavesNothing) { try_each_error(Fault::kSubmission); }

TEST_P(OperationFaultTest, EachCompletionThatFailsIsAStatusAndLeavesNothing) { try_each_error(Fault::kCompletion); }

TEST_P(OperationFaultTest, EachMultishotThatEndsEarlyIsAStatusOrBegunAgainAndLeavesNothing) {
  try_each_error(Fault::kMultishot);
}

TEST_P(OperationFaultTest, MultishotsThatLackABufferGoOn) {
  try_each(Fault::kMultishot, ENOBUFS, [](const Status& status) { EXPECT_TRUE(status.ok()) << status; });
}

TEST_P(OperationFaultTest, EachShortTransferIsMadeUpFor) {
  try_each(Fault::kShortTransfer, 0, [](const Status& status) { EXPECT_TRUE(status.ok()) << status; });
}

TEST_P(OperationFaultTest, TransfersThatAreAllShortAreMadeUpFor) {
  const Status status = run({Fault::kShortTransfer, 0, 0});

  EXPECT_TRUE(status.ok()) << status;
}

INSTANTIATE_TEST_SUITE_P(Scripts, OperationFaultTest,
                         ::testing::Combine(::testing::Values(Kernel::kUring, Kernel::kEpoll),
                                            ::testing::ValuesIn(all_scripts())),
                         [](const auto& given) {
                           return std::string(std::get<1>(given.param).name) +
                                  (std::get<0>(given.param) == Kernel::kUring ? "OnUring" : "OnEpoll");
                         });

}  // namespace
}  // namespace wharf::test
