// Every script with every allocation failing once: the k-th call of operator new, for each k until a script ends without
// having met the fault.
#include <sys/wait.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/frame_cache.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/faults/scripts.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::test {
namespace {

using runtime::BackendKind;

struct MemoryCensus {
  std::size_t fds = open_fd_count();
  std::uint64_t frames = coro::frame_counters().allocated - coro::frame_counters().freed;
};

class MemoryFaultTest : public ::testing::TestWithParam<std::tuple<BackendKind, Script>> {
 protected:
  void SetUp() override {
    if (std::get<0>(GetParam()) == BackendKind::kUring) WHARF_NEEDS_URING();
    std::signal(SIGPIPE, SIG_IGN);
    make_reactor();
    run(0);  // threads and descriptors that stay are made
  }
  void make_reactor() {
    reactor_.reset();
    auto reactor = runtime::Reactor::create({.backend = std::get<0>(GetParam())});
    EXPECT_TRUE(reactor.ok()) << reactor.status();
    reactor_ = *std::move(reactor);
  }
  void run(std::uint64_t k) {
    const TemporaryDirectory directory;
    const std::string path = directory.path();
    coro::trim_frame_cache();  // so that each frame is an allocation
    thrown_ = false;
    fail_allocation(k);
    try {
      status_ = reactor_->run(std::get<1>(GetParam()).run(path));
    } catch (const std::bad_alloc&) {
      thrown_ = true;
    }
    failed_ = allocation_failed();
  }

  Watchdog watchdog_;
  std::unique_ptr<runtime::Reactor> reactor_;
  std::uint64_t fault_ = 1;
  Status status_;
  bool thrown_ = false;
  bool failed_ = false;
};

TEST_P(MemoryFaultTest, EachAllocationThatFailsIsThrownOrAStatusAndLeavesNothing) {
  for (std::uint64_t k = 1; !HasFailure(); ++k) {
    SCOPED_TRACE("allocation " + std::to_string(k));
    const MemoryCensus before;

    run(k);

    EXPECT_EQ(MemoryCensus().fds, before.fds);
    EXPECT_EQ(MemoryCensus().frames, before.frames);
    EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT), -1) << "a child is left";
    if (!failed_) {
      EXPECT_TRUE(!thrown_ && status_.ok()) << status_;
      break;
    }
    if (!thrown_) {
      EXPECT_EQ(status_.message().find("script"), absl::string_view::npos) << status_;
    }
    run(0);
    EXPECT_TRUE(!thrown_ && status_.ok()) << status_;
  }
}

// What grows with the first use, of timers say, has not grown yet.
TEST_P(MemoryFaultTest, SoIsEachOneOfANewReactorThatStaysUsable) {
  for (bool failed = true; failed && !HasFailure(); ++fault_) {
    SCOPED_TRACE("allocation " + std::to_string(fault_));
    make_reactor();
    const std::uint64_t frames = MemoryCensus().frames;

    run(fault_);
    failed = failed_;

    EXPECT_EQ(MemoryCensus().frames, frames);
    run(0);
    EXPECT_TRUE(!thrown_ && status_.ok()) << status_;
  }
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<BackendKind, Script>>& given) {
  return std::string(std::get<1>(given.param).name) +
         (std::get<0>(given.param) == BackendKind::kUring ? "OnUring" : "OnEpoll");
}

INSTANTIATE_TEST_SUITE_P(Scripts, MemoryFaultTest,
                         ::testing::Combine(::testing::Values(BackendKind::kUring, BackendKind::kEpoll),
                                            ::testing::ValuesIn(all_scripts())),
                         name_of);

// These make backends themselves.
INSTANTIATE_TEST_SUITE_P(RuntimeScripts, MemoryFaultTest,
                         ::testing::Combine(::testing::Values(BackendKind::kUring, BackendKind::kEpoll),
                                            ::testing::ValuesIn(runtime_scripts())),
                         name_of);

}  // namespace
}  // namespace wharf::test
