// A supervisor whose workers cannot be started, or do not stay up.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/supervisor_watch.h"

namespace wharf::test {
namespace {

using Kind = ipc::WorkerEvent::Kind;

class SupervisorFailureTest : public PortTest {
 protected:
  void TearDown() override { EXPECT_TRUE(no_child_is_left()); }
};

// start() fails with a message that has all of these in it.
coro::Task<void> expect_no_start(ipc::WorkerOptions options, std::vector<std::string> parts) {
  ipc::Supervisor supervisor(options);

  Status started = co_await supervisor.start();

  EXPECT_EQ(started.code(), StatusCode::kUnavailable);
  for (const std::string& part : parts) {
    EXPECT_NE(std::string(started.message()).find(part), std::string::npos) << started << " without " << part;
  }
  for (const ipc::Worker& worker : supervisor.workers()) {
    EXPECT_EQ(worker.pid, 0);
    EXPECT_EQ(worker.port, nullptr);
  }
}

TEST_F(SupervisorFailureTest, AMissingProgramIsNamed) {
  ipc::WorkerOptions options("/no/such/worker");
  options.count = 2;

  run(expect_no_start(options, {"/no/such/worker", "No such file"}));
}

TEST_F(SupervisorFailureTest, AFileThatIsNoProgramIsNamed) {
  run(expect_no_start(ipc::WorkerOptions("/etc/passwd"), {"/etc/passwd", "Permission denied"}));
}

TEST_F(SupervisorFailureTest, AProgramThatExitsAtOnceIsNamedWithItsExit) {
  run(expect_no_start(ipc::WorkerOptions("/bin/true"), {"/bin/true", "exited with code 0"}));
  run(expect_no_start(ipc::WorkerOptions("/bin/false"), {"/bin/false", "exited with code 1"}));
}

TEST_F(SupervisorFailureTest, AProgramThatNeverSpeaksIsEnded) {
  ipc::WorkerOptions options("/bin/sleep");
  options.arguments = {"sleep", "100000"};
  options.port.handshake_timeout_ms = 30;

  run(expect_no_start(options, {"/bin/sleep", "said nothing in time", "was killed"}));
}

TEST_F(SupervisorFailureTest, AProgramOfAnotherVersionIsTold) {
  run(expect_no_start(workers(peer_setup("of_another_version"), 1),
                      {"link version 77", "build both with the same wharf"}));
}

TEST_F(SupervisorFailureTest, NoWorkersIsNoSupervisor) {
  ipc::WorkerOptions options("/bin/true");
  options.count = 0;
  run([](ipc::WorkerOptions none) -> coro::Task<void> {
    ipc::Supervisor supervisor(none);
    Status started = co_await supervisor.start();
    EXPECT_EQ(started.code(), StatusCode::kInvalidArgument);
  }(options));
}

// One worker comes up, dies, and comes up again, while the other never does.
TEST_F(SupervisorFailureTest, OneWorkerUpTwiceIsNotTwoWorkersUp) {
  const TemporaryFolder folder;
  ipc::WorkerOptions options = workers(peer_setup("by_turns"), 2);
  options.environment = {"WHARF_TEST_FILE=" + folder.path() + "/turn"};
  options.backoff_first_ms = 1;
  options.port.handshake_timeout_ms = kSanitized ? 2000 : 300;

  run(expect_no_start(options, {"said nothing in time"}));
}

// The program is replaced by one that fails: each attempt waits longer than the one before, up to a limit.
coro::Task<void> back_off(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  SupervisorWatch watch(supervisor);
  Status started = co_await supervisor.start();
  CO_ASSERT_OK(started);
  std::filesystem::remove(options.path);
  std::filesystem::create_symlink("/bin/false", options.path);
  const std::int64_t killed_ns = runtime::Reactor::current().now_ns();
  EXPECT_EQ(::kill(supervisor.workers()[0].pid, SIGKILL), 0);

  co_await watch.until(Kind::kFailed, 4);

  // Ended, then 10 ms; failed, then 20, 40, 40 ... : four failures, and three waits between them.
  EXPECT_GE(runtime::Reactor::current().now_ns() - killed_ns, (10 + 20 + 40 + 40) * 1'000'000);
  EXPECT_EQ(watch.count(Kind::kEnded), 1u);
  EXPECT_EQ(supervisor.workers()[0].start_count, 5u) << "one start for each event";
  std::vector<std::string> texts = watch.all(Kind::kFailed);
  const char* waits[] = {"again in 20 ms", "again in 40 ms", "again in 40 ms", "again in 40 ms"};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NE(texts[i].find(waits[i]), std::string::npos) << texts[i];
  EXPECT_NE(watch.last(Kind::kEnded).find("again in 10 ms"), std::string::npos) << watch.last(Kind::kEnded);

  std::filesystem::remove(options.path);
  std::filesystem::create_symlink(program_path("ipc_peers"), options.path);
  co_await watch.until(Kind::kReady, 2);
  std::string back = co_await ask(*supervisor.workers()[0].port, ipc::Message("up again"));
  EXPECT_EQ(back, "up again");
  co_await supervisor.stop();
}

TEST_F(SupervisorFailureTest, BacksOffFromAProgramThatKeepsFailing) {
  const TemporaryFolder folder;
  const std::string program = folder.path() + "/worker";
  std::filesystem::create_symlink(program_path("ipc_peers"), program);
  ipc::WorkerOptions options = workers(peer_setup("echo"), 1);
  options.path = program;
  options.backoff_first_ms = 10;
  options.backoff_max_ms = 40;
  options.healthy_after_ms = 3'600'000;

  run(back_off(options));
}

coro::Task<void> stop_in_back_off(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  SupervisorWatch watch(supervisor);
  Status started = co_await supervisor.start();
  CO_ASSERT_OK(started);
  EXPECT_EQ(::kill(supervisor.workers()[0].pid, SIGKILL), 0);
  co_await watch.until(Kind::kEnded, 1);

  co_await supervisor.stop();

  EXPECT_EQ(supervisor.workers()[0].start_count, 1u);
}

TEST_F(SupervisorFailureTest, StopEndsABackOffAtOnce) {
  ipc::WorkerOptions options = workers(peer_setup("echo"), 1);
  options.backoff_first_ms = 3'600'000;
  options.backoff_max_ms = 3'600'000;
  options.healthy_after_ms = 3'600'000;

  run(stop_in_back_off(options));
}

constexpr std::uint64_t kLastCalls = 100;

coro::Task<void> count_answer(ipc::Port& port, std::size_t& count) {
  auto reply = co_await port.call(ipc::Message("quick"));
  EXPECT_OK(reply.status());
  if (reply.ok()) ++count;
}

// The reactor looks again when the process has ended already: it learns of that, and of the link's end, at once.
coro::Task<void> let_end(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  SupervisorWatch watch(supervisor);
  Status started = co_await supervisor.start();
  CO_ASSERT_OK(started);
  for (std::size_t round = 1; round <= 10; ++round) {
    const std::shared_ptr<ipc::Port> port = supervisor.workers()[0].port;
    const pid_t pid = supervisor.workers()[0].pid;
    coro::Scope scope;
    std::size_t count = 0;
    for (std::uint64_t i = 0; i < kLastCalls; ++i) scope.spawn(count_answer(*port, count));
    while (port->counters().messages_sent < kLastCalls) co_await next_turn();
    co_await next_turn();
    siginfo_t info;
    const int ended = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    // On a busy machine the supervisor has met its end in one of the turns above.
    EXPECT_TRUE(ended == 0 || errno == ECHILD) << std::strerror(errno);

    co_await scope.join();
    co_await watch.until(Kind::kReady, 1 + round);

    EXPECT_EQ(count, kLastCalls);
    auto last = co_await port->receive();
    EXPECT_EQ(last.has_value() ? last->to_string() : "nothing", "that was all");
  }
  co_await supervisor.stop();
}

TEST_F(SupervisorFailureTest, WhatAWorkerSaidBeforeItsEndArrives) {
  for (const bool shared_memory : {true, false}) {
    PeerSetup setup = peer_setup("answer_and_end");
    setup.argument = kLastCalls;
    setup.port.shared_memory = shared_memory;
    ipc::WorkerOptions options = workers(setup, 1);
    options.healthy_after_ms = 0;
    options.port.turn_message_count_max = 10;  // what it said takes several turns to read

    run(let_end(options));
  }
}

// With a stop of the task that starts, or by stop() from another task.
coro::Task<void> stop_the_start(ipc::WorkerOptions options, bool by_stop) {
  ipc::Supervisor supervisor(options);
  Status started;
  coro::Scope scope;
  scope.spawn([](ipc::Supervisor& of, Status& status) -> coro::Task<void> { status = co_await of.start(); },
              std::ref(supervisor), std::ref(started));
  while (supervisor.workers()[0].pid == 0) co_await next_turn();
  const pid_t pid = supervisor.workers()[0].pid;

  if (by_stop) {
    co_await supervisor.stop();
    EXPECT_FALSE(is_running(pid));
  } else {
    scope.cancel();
  }
  co_await scope.join();

  EXPECT_EQ(started.code(), StatusCode::kCancelled);
  EXPECT_FALSE(is_running(pid));
}

TEST_F(SupervisorFailureTest, AStartThatIsStoppedLeavesNothingBehind) {
  ipc::WorkerOptions options("/bin/sleep");
  options.arguments = {"sleep", "100000"};
  options.port.handshake_timeout_ms = 3'600'000;

  for (const bool by_stop : {false, true}) run(stop_the_start(options, by_stop));
}

}  // namespace
}  // namespace wharf::test
