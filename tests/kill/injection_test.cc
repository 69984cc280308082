// Every system call of a survivor's script made to fail, one at a time, in the ways in which that call can.
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/kill/survivor.h"

namespace wharf::test {
namespace {
using runtime::sys::Call;

struct Failures {
  Call call;
  std::vector<int> errors;
};

// recvmsg: no EAGAIN, which the kernel does not say while there is a packet. munmap and shutdown: they fail only for a
// wrong argument, and what is not done is then missing.
const std::vector<Failures> kFailures = {
    {Call::kSendmsg, {EAGAIN, ENOBUFS, ENOMEM, ETOOMANYREFS, EINTR}},
    {Call::kRecvmsg, {ENOMEM, ENOBUFS, EINTR}},
    {Call::kWrite, {EAGAIN, ENOMEM, EINTR}},
    {Call::kMemfdCreate, {EMFILE, ENFILE, ENOMEM}},
    {Call::kFallocate, {ENOMEM, ENOSPC, EINTR}},
    {Call::kMmap, {ENOMEM, ENFILE, EAGAIN}},
    {Call::kEventfd, {EMFILE, ENFILE, ENOMEM}},
    {Call::kFcntl, {EMFILE, ENOMEM, EPERM}},
    {Call::kFstat, {ENOMEM}},
    {Call::kGetsockopt, {ENOBUFS}},
    {Call::kSetsockopt, {ENOMEM}},
    {Call::kClose, {EINTR, EIO}},
};

using Scenario = std::tuple<Route, Role>;

class Injection : public PortTest, public ::testing::WithParamInterface<Scenario> {};

coro::Task<void> fail_every_call(Scenario scenario, void (*next_round)()) {
  const auto [route, role] = scenario;
  std::uint64_t fired_count = 0;
  for (const Failures& failures : kFailures) {
    for (const int error : failures.errors) {
      bool fired = true;
      for (FailedCall failed{failures.call, error, 1}; fired; ++failed.nth) {
        next_round();
        const std::map<int, std::string> fds_before = open_fds();

        fired = co_await survive_failure(role, route == Route::kSharedMemory, failed);

        EXPECT_EQ(open_fds(), fds_before);
        EXPECT_FALSE(PortTest::HasFailure())
            << "call " << static_cast<int>(failed.call) << " number " << failed.nth << " failing with errno " << error;
        if (PortTest::HasFailure()) co_return;
        if (fired) ++fired_count;
      }
    }
  }
  std::printf("%llu calls made to fail\n", static_cast<unsigned long long>(fired_count));
  EXPECT_GE(fired_count, 30u);
}

TEST_P(Injection, EveryFailingCallIsSurvivedOrSaidAndLeaksNothing) {
  run(fail_every_call(GetParam(), restart_watchdog));
}

std::string name_of(const ::testing::TestParamInfo<Scenario>& info) {
  const auto [route, role] = info.param;
  return std::string(route == Route::kSharedMemory ? "SharedMemory" : "Socket") +
         (role == Role::kPeerSends ? "Receiver" : "Sender");
}

INSTANTIATE_TEST_SUITE_P(, Injection,
                         ::testing::Combine(::testing::Values(Route::kSharedMemory, Route::kSocket),
                                            ::testing::Values(Role::kPeerSends, Role::kPeerServes)),
                         name_of);

}  // namespace
}  // namespace wharf::test
