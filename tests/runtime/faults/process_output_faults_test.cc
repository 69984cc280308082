#include <cerrno>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/detail/epoll_backend.h"
#include "wharf/runtime/process_output.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/faults/fault_backend.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

class ProcessOutputFaultsTest : public ::testing::Test {
 protected:
  ProcessOutputFaultsTest() {
    auto backend = std::make_unique<test::FaultBackend>(*detail::EpollBackend::create(64));
    backend_ = backend.get();
    reactor_ = Reactor::create_on(std::move(backend));
  }
  StatusOr<ProcessOutput> run(const char* program, std::string input) {
    return reactor_->run(run_process(SpawnOptions(program), std::move(input)));
  }

  test::Watchdog watchdog_;
  test::FaultBackend* backend_ = nullptr;
  std::unique_ptr<Reactor> reactor_;
};

TEST_F(ProcessOutputFaultsTest, InputThatTheKernelCannotSendNowIsAFailure) {
  backend_->set_plan({test::Fault::kSubmission, 1, EAGAIN});

  const auto result = run("/bin/cat", "quay");

  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
}

TEST_F(ProcessOutputFaultsTest, InputThatTheChildDoesNotReadIsNoFailure) {
  const auto result = run("/bin/true", std::string(1'000'000, 'q'));

  EXPECT_TRUE(result.ok()) << result.status();
}

}  // namespace
}  // namespace wharf::runtime
