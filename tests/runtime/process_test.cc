#include "wharf/runtime/process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/processes.h"
#include "wharf/tests/runtime/stopped.h"

namespace wharf::runtime {
namespace {

using test::Harness;
using test::shell;
using test::SocketPair;
using test::spawn;

using Child = std::unique_ptr<Process>;

// What the shell says on its fd 3.
std::string said_by(Harness& harness, SpawnOptions options) {
  SocketPair pair;
  options.fds.push_back({pair.right.get(), 3});
  const Child child = spawn(options);
  pair.right.reset();
  EXPECT_TRUE(harness.run(child->wait())->success());
  std::array<char, 4096> text;
  const ssize_t bytes = ::recv(pair.left.get(), text.data(), text.size(), MSG_DONTWAIT);
  return {text.data(), static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
}

TEST(ProcessTest, GivesTheExitCode) {
  Harness harness;
  const Child child = spawn(shell("exit 3"));
  const StatusOr<ExitStatus> ended = harness.run(child->wait());

  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(ended->signal, 0);
  EXPECT_FALSE(ended->success());
  EXPECT_EQ(ended->text(), "exited with code 3");
}

TEST(ProcessTest, GivesTheSignalThatEndedIt) {
  Harness harness;
  const Child child = spawn(shell("kill -TERM $$"));
  const StatusOr<ExitStatus> ended = harness.run(child->wait());

  EXPECT_EQ(ended->signal, SIGTERM);
  EXPECT_EQ(ended->text(), "killed by signal 15 (SIGTERM)");
}

TEST(ProcessTest, WaitingAgainGivesTheSame) {
  Harness harness;
  const Child child = spawn(shell("exit 5"));
  EXPECT_EQ(harness.run(child->wait())->code, 5);

  EXPECT_EQ(harness.run(child->wait())->code, 5);
}

TEST(ProcessTest, ASignalIsSentThroughThePidfd) {
  Harness harness;
  const Child child = spawn(shell("exec sleep 1000"));
  EXPECT_TRUE(child->send_signal(SIGKILL).ok());
  EXPECT_EQ(harness.run(child->wait())->signal, SIGKILL);

  EXPECT_EQ(child->send_signal(SIGKILL).code(), StatusCode::kNotFound);
}

TEST(ProcessTest, AMissingProgramIsNotFoundAndNamed) {
  const Status status = Process::spawn(SpawnOptions("/no/such/program")).status();

  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "spawn /no/such/program: No such file or directory (ENOENT)");
}

TEST(ProcessTest, AFileThatIsNoProgramIsAnError) {
  EXPECT_EQ(Process::spawn(SpawnOptions("/etc/passwd")).status().code(), StatusCode::kPermissionDenied);
}

TEST(ProcessTest, ArgumentsAndEnvironmentArrive) {
  Harness harness;
  ::setenv("WHARF_OLD", "old", 1);
  ::setenv("WHARF_KEPT", "kept", 1);
  SpawnOptions options = shell("printf '%s %s %s %s' $0 $WHARF_OLD $WHARF_NEW $WHARF_KEPT >&3");
  options.arguments.emplace_back("zero");
  options.environment = {"WHARF_OLD=replaced", "WHARF_NEW=new"};

  EXPECT_EQ(said_by(harness, std::move(options)), "zero replaced new kept");
}

TEST(ProcessTest, TheChildHasTheDescriptorsThatItWasGivenAndNoOthers) {
  Harness harness;
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // not close-on-exec
  const UniqueFd high(::fcntl(leaky.get(), F_DUPFD, 300));
  SpawnOptions options = shell("ls /proc/self/fd | tr '\\n' ' ' >&3");
  options.fds.push_back({leaky.get(), 7});

  // Beside 0, 1, 2: ours, and the one that ls opens.
  EXPECT_EQ(said_by(harness, std::move(options)), "0 1 2 3 4 7 ");
}

TEST(ProcessTest, DescriptorsMayChangePlaces) {
  Harness harness;
  SocketPair first;
  SocketPair second;
  SpawnOptions options = shell("");
  // Each is to become what the other one is called here.
  const int a = first.left.get();
  const int b = second.left.get();
  options.arguments[2] = "echo first >&" + std::to_string(b) + "; echo second >&" + std::to_string(a);
  options.fds = {{a, b}, {b, a}};
  const Child child = spawn(options);
  EXPECT_TRUE(harness.run(child->wait())->success());

  std::array<char, 16> text{};
  EXPECT_EQ(::recv(first.right.get(), text.data(), text.size(), MSG_DONTWAIT), 6);
  EXPECT_EQ(std::string(text.data(), 6), "first\n");
  EXPECT_EQ(::recv(second.right.get(), text.data(), text.size(), MSG_DONTWAIT), 7);
  EXPECT_EQ(std::string(text.data(), 7), "second\n");
}

TEST(ProcessTest, ImpossibleDescriptorsAreRefused) {
  for (const auto& fds :
       std::vector<std::vector<SpawnOptions::Fd>>{{{-1, 3}}, {{0, -1}}, {{0, 3}, {1, 3}}, {{0, 100'000}}}) {
    SpawnOptions options = shell("true");
    options.fds = fds;
    EXPECT_EQ(Process::spawn(options).status().code(), StatusCode::kInvalidArgument);
  }
  SpawnOptions options = shell("true");
  options.fds = {{1000, 3}};  // not open
  EXPECT_FALSE(Process::spawn(options).ok());
}

TEST(ProcessTest, SignalsAreUnblockedAndAtTheirDefaultsInTheChild) {
  Harness harness;
  sigset_t set;
  sigset_t old;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, &old);
  ::signal(SIGUSR1, SIG_IGN);
  const Child blocked = spawn(shell("kill -TERM $$"));
  const Child ignored = spawn(shell("kill -USR1 $$"));

  EXPECT_EQ(harness.run(blocked->wait())->signal, SIGTERM);
  EXPECT_EQ(harness.run(ignored->wait())->signal, SIGUSR1);
  ::signal(SIGUSR1, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TEST(ProcessTest, AStopEndsTheWaitAndNotTheChild) {
  Harness harness;
  const Child child = spawn(shell("exec sleep 1000"));

  EXPECT_EQ(harness.run(test::stopped(child->wait())).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(::kill(child->pid(), 0), 0);
}

TEST(ProcessTest, ADeadlineEndsTheWait) {
  Harness harness;
  const Child child = spawn(shell("exec sleep 1000"));
  const std::int64_t deadline = harness.reactor().now_ns() + 1'000'000;

  EXPECT_EQ(harness.run(child->wait({.deadline_ns = deadline})).status().code(), StatusCode::kDeadlineExceeded);
}

TEST(ProcessTest, ItsEndKillsAndReapsAChildThatStillRuns) {
  Child child = spawn(shell("exec sleep 1000"));
  const pid_t pid = child->pid();
  child.reset();

  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(ProcessTest, AFailureOnTheWayLeavesNoChildAndNoDescriptor) {
  const std::size_t before = test::open_fd_count();
  SocketPair pair;
  bool fired = true;
  for (std::uint64_t k = 1; fired; ++k) {
    StatusOr<Child> child;
    {
      const sys::FailureInjection failure(k, EAGAIN);
      SpawnOptions options = shell("exec sleep 1000");
      options.fds.push_back({pair.left.get(), 3});
      child = Process::spawn(options);
      fired = failure.fired();
    }
    EXPECT_FALSE(child.ok() && k <= 3) << k;  // from the fourth on it is close
  }
  pair.left.reset();
  pair.right.reset();

  EXPECT_EQ(test::open_fd_count(), before);
  EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace wharf::runtime
