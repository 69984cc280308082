// What SpawnOptions asks for beside the program: directory, pipes, limits, groups. See process_test.cc for the rest.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/runtime/process.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/runtime/processes.h"
#include "wharf/tests/runtime/temporary_directory.h"

namespace wharf::runtime {
namespace {

using test::Harness;
using test::shell;
using test::spawn;
using Child = std::unique_ptr<Process>;
using Standard = SpawnOptions::Standard;
using Group = SpawnOptions::Group;

// What the child says on its standard output, until it ends.
std::string said_by(SpawnOptions options) {
  options.output = Standard::kPipe;
  const Child child = spawn(options);
  const UniqueFd output = child->take_output();
  std::string text;
  std::array<char, 1024> buffer;
  for (ssize_t bytes = 1; bytes > 0;) {
    bytes = ::read(output.get(), buffer.data(), buffer.size());
    if (bytes > 0) text.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  return text;
}

// ThreadSanitizer makes a fork of vfork: then the parent goes on before the child has its program, and never hears why it has
// none.
#if defined(__SANITIZE_THREAD__)
#define SKIP_WITHOUT_VFORK() GTEST_SKIP() << "ThreadSanitizer has no vfork"
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SKIP_WITHOUT_VFORK() GTEST_SKIP() << "ThreadSanitizer has no vfork"
#endif
#endif
#ifndef SKIP_WITHOUT_VFORK
#define SKIP_WITHOUT_VFORK() static_cast<void>(0)
#endif

// An option that changes nothing here, but has the child started in the other way.
SpawnOptions limited(SpawnOptions options) {
  options.limits.push_back({RLIMIT_CORE, 0, 0});
  return options;
}

TEST(ProcessOptionsTest, LimitsAreInForce) {
  SpawnOptions options = shell("ulimit -Sn; ulimit -Hn; ulimit -c");
  options.limits = {{RLIMIT_NOFILE, 50, 60}, {RLIMIT_CORE, 0, 0}};

  EXPECT_EQ(said_by(options), "50\n60\n0\n");
}

TEST(ProcessOptionsTest, AnImpossibleLimitIsRefusedAndLeavesNoChild) {
  SKIP_WITHOUT_VFORK();
  SpawnOptions options = shell("true");
  options.limits = {{RLIMIT_NOFILE, 60, 50}};
  EXPECT_EQ(Process::spawn(options).status().code(), StatusCode::kInvalidArgument);
  options.limits = {{1000, 1, 1}};
  EXPECT_EQ(Process::spawn(options).status().code(), StatusCode::kInvalidArgument);

  EXPECT_EQ(::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(ProcessOptionsTest, AMissingProgramIsNotFoundUnderLimitsToo) {
  SKIP_WITHOUT_VFORK();
  EXPECT_EQ(Process::spawn(limited(SpawnOptions("/no/such/program"))).status().message(),
            "spawn /no/such/program: No such file or directory (ENOENT)");
}

TEST(ProcessOptionsTest, UnderLimitsDescriptorsAndSignalsAreTheSame) {
  Harness harness;
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // not close-on-exec
  SpawnOptions options = shell("ls /proc/self/fd | tr '\\n' ' '");
  options.fds.push_back({leaky.get(), 7});
  EXPECT_EQ(said_by(limited(std::move(options))), "0 1 2 3 7 ");
  sigset_t set;
  sigset_t old;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, &old);
  ::signal(SIGUSR1, SIG_IGN);
  const Child blocked = spawn(limited(shell("kill -TERM $$")));
  const Child ignored = spawn(limited(shell("kill -USR1 $$")));

  EXPECT_EQ(harness.run(blocked->wait())->signal, SIGTERM);
  EXPECT_EQ(harness.run(ignored->wait())->signal, SIGUSR1);
  EXPECT_EQ(::signal(SIGUSR1, SIG_DFL), SIG_IGN);  // this process's own
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TEST(ProcessOptionsTest, TheDirectoryIsTheChilds) {
  SKIP_WITHOUT_VFORK();
  const test::TemporaryDirectory directory;
  for (const bool with_limits : {false, true}) {
    SpawnOptions options = shell("pwd");
    options.directory = directory.path();
    EXPECT_EQ(said_by(with_limits ? limited(options) : options), directory.path() + "\n");
    options.directory = "/no/such/directory";
    EXPECT_EQ(Process::spawn(with_limits ? limited(options) : options).status().code(), StatusCode::kNotFound);
  }
}

TEST(ProcessOptionsTest, AProgramIsLookedForInThePathIfAskedTo) {
  SpawnOptions options("sh");
  options.arguments = {"sh", "-c", "echo found"};
  EXPECT_EQ(Process::spawn(options).status().code(), StatusCode::kNotFound);
  options.search_path = true;
  EXPECT_EQ(said_by(options), "found\n");
  options.path = "no-such-program-at-all";

  EXPECT_EQ(Process::spawn(options).status().code(), StatusCode::kNotFound);
}

TEST(ProcessOptionsTest, TheEnvironmentMayBeCleared) {
  ::setenv("WHARF_OLD", "old", 1);
  SpawnOptions options = shell("echo \"$WHARF_OLD-$WHARF_NEW\"");
  options.environment = {"WHARF_NEW=new"};
  EXPECT_EQ(said_by(options), "old-new\n");
  options.clear_environment = true;

  EXPECT_EQ(said_by(options), "-new\n");
}

TEST(ProcessOptionsTest, AGroupOrSessionIsItsOwn) {
  SKIP_WITHOUT_VFORK();
  for (const bool with_limits : {false, true}) {
    for (const Group group : {Group::kSame, Group::kNewGroup, Group::kNewSession}) {
      SpawnOptions options("/bin/sleep");
      options.arguments = {"sleep", "1000"};
      options.group = group;
      const Child child = spawn(with_limits ? limited(options) : options);

      EXPECT_EQ(::getpgid(child->pid()) == child->pid(), group != Group::kSame);
      EXPECT_EQ(::getsid(child->pid()) == child->pid(), group == Group::kNewSession);
    }
  }
}

TEST(ProcessOptionsTest, PipesLeadToTheChild) {
  Harness harness;
  SpawnOptions options = shell("cat; echo oops >&2");
  options.input = Standard::kPipe;
  options.output = Standard::kPipe;
  options.errors = Standard::kPipe;
  const Child child = spawn(options);
  UniqueFd input = child->take_input();
  const UniqueFd output = child->take_output();
  const UniqueFd errors = child->take_errors();
  EXPECT_EQ(::write(input.get(), "quay", 4), 4);
  input.reset();
  EXPECT_TRUE(harness.run(child->wait())->success());

  std::array<char, 16> text{};
  EXPECT_EQ(::read(output.get(), text.data(), text.size()), 4);
  EXPECT_EQ(::read(output.get(), text.data(), text.size()), 0);
  EXPECT_EQ(::read(errors.get(), text.data(), text.size()), 5);
  EXPECT_FALSE(child->take_output());
}

TEST(ProcessOptionsTest, NothingIsAnEmptyInput) {
  SpawnOptions options = shell("cat; echo end");
  options.input = Standard::kNull;
  options.errors = Standard::kNull;

  EXPECT_EQ(said_by(options), "end\n");
}

TEST(ProcessOptionsTest, ATextWithAZeroByteIsRefused) {
  const std::string cut("a\0b", 3);
  const auto refused = [](const SpawnOptions& options) {
    return Process::spawn(options).status().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(SpawnOptions(std::string("/bin/true\0", 10))));
  SpawnOptions options = shell("true");
  options.arguments.push_back(cut);
  EXPECT_TRUE(refused(options));
  options = shell("true");
  options.environment = {"NAME=" + cut};
  EXPECT_TRUE(refused(options));
  options = shell("true");
  options.directory = std::string("/\0", 2);
  EXPECT_TRUE(refused(options));
}

TEST(ProcessOptionsTest, AStandardDescriptorCannotBeTwoThings) {
  SpawnOptions options = shell("true");
  options.output = Standard::kPipe;
  options.fds.push_back({0, 1});

  EXPECT_EQ(Process::spawn(options).status().code(), StatusCode::kInvalidArgument);
}

TEST(ProcessOptionsTest, AFailureOnTheWayLeavesNoDescriptor) {
  const std::size_t before = test::open_fd_count();
  bool fired = true;
  for (std::uint64_t k = 1; fired; ++k) {
    SpawnOptions options = shell("true");
    options.input = Standard::kPipe;
    options.output = Standard::kPipe;
    options.errors = Standard::kNull;
    StatusOr<Child> child;
    const sys::FailureInjection failure(k, EMFILE, sys::Call::kPipe);
    child = Process::spawn(options);
    fired = failure.fired();
    EXPECT_EQ(child.ok(), !fired);
  }

  EXPECT_EQ(test::open_fd_count(), before);
}

TEST(ProcessTerminateTest, AChildThatListensEndsByItself) {
  Harness harness;
  SpawnOptions options = shell("trap 'exit 3' TERM; echo ready; while :; do read line; done");
  options.input = Standard::kPipe;
  options.output = Standard::kPipe;
  const Child child = spawn(options);
  const UniqueFd input = child->take_input();
  const UniqueFd output = child->take_output();
  std::array<char, 16> text{};
  EXPECT_EQ(::read(output.get(), text.data(), text.size()), 6);

  EXPECT_EQ(harness.run(child->terminate())->code, 3);
  EXPECT_EQ(harness.run(child->terminate())->code, 3);  // again: the same
}

TEST(ProcessTerminateTest, AChildThatDoesNotListenIsKilledAtTheDeadline) {
  Harness harness;
  SpawnOptions options = shell("trap '' TERM; echo ready; exec sleep 1000");
  options.output = Standard::kPipe;
  const Child child = spawn(options);
  const UniqueFd output = child->take_output();
  std::array<char, 16> text{};
  EXPECT_EQ(::read(output.get(), text.data(), text.size()), 6);
  const std::int64_t deadline = harness.reactor().now_ns() + 2'000'000;

  EXPECT_EQ(harness.run(child->terminate({.deadline_ns = deadline}))->signal, SIGKILL);
}

}  // namespace
}  // namespace wharf::runtime
