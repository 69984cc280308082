// S14 and the promise of S5, of two processes in steady state: nothing comes from the heap, and while both are awake no
// message makes a system call. The kernel itself would kill whoever made one: see steady/main.cc.
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "wharf/ipc/inherited_link.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/process.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/ipc/steady/verdict.h"

namespace wharf::test {
namespace {

StatusOr<std::unique_ptr<runtime::Process>> start(const std::string& role, int cpu, const std::string& route,
                                                  const ipc::PortEnd& link) {
  runtime::SpawnOptions options(program_path("ipc_steady"));
  options.arguments = {"ipc_steady", role, std::to_string(cpu), route};
  options.environment = {std::string(ipc::kInheritedLinkVariable) + "=3"};
  options.fds = {{link.fd(), 3}};
  return runtime::Process::spawn(options);
}

coro::Task<void> run_pair(int client_cpu, int server_cpu, std::string route) {
  auto ends = ipc::Port::end_pair();
  CO_ASSERT_OK(ends.status());
  auto client = start("client", client_cpu, route, ends->first);
  auto server = start("server", server_cpu, route, ends->second);
  CO_ASSERT_OK(client.status());
  CO_ASSERT_OK(server.status());
  ends->first.close();
  ends->second.close();

  auto client_ended = co_await (*client)->wait();
  auto server_ended = co_await (*server)->wait();

  CO_ASSERT_OK(client_ended.status());
  CO_ASSERT_OK(server_ended.status());
  EXPECT_TRUE(client_ended->success()) << client_ended->text() << "; see verdict.h. SIGSYS: a system call was made";
  EXPECT_TRUE(server_ended->success()) << server_ended->text() << "; see verdict.h. SIGSYS: a system call was made";
}

TEST_F(PortTest, S14_NoAllocationAndNoSystemCallPerMessageWhileBothAreAwake) {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) GTEST_SKIP() << "needs two processors";
  auto reactor = runtime::Reactor::create();
  ASSERT_TRUE(reactor.ok()) << reactor.status();
  if (!(*reactor)->why_not_uring().empty()) GTEST_SKIP() << "on epoll a reactor asks the kernel once in each turn";
  reactor->reset();

  run(run_pair(cpus[0], cpus[1], "shm"));
}

coro::Task<void> run_offender() {
  auto ends = ipc::Port::end_pair();
  CO_ASSERT_OK(ends.status());
  auto offender = start("offender", -1, "shm", ends->first);
  CO_ASSERT_OK(offender.status());
  auto ended = co_await (*offender)->wait();
  CO_ASSERT_OK(ended.status());
  EXPECT_EQ(ended->signal, SIGSYS) << ended->text();
}

TEST_F(PortTest, S14_TheGuardOfTheseTestsBites) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer makes system calls of its own";
  run(run_offender());
}

TEST_F(PortTest, S14_NoAllocationPerMessageOnTheSocket) { run(run_pair(-1, -1, "socket")); }

}  // namespace
}  // namespace wharf::test
