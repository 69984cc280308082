#include "wharf/ipc/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/supervisor_watch.h"

namespace wharf::test {
namespace {

using Kind = ipc::WorkerEvent::Kind;

class SupervisorTest : public PortTest {
 protected:
  void TearDown() override { EXPECT_TRUE(no_child_is_left()); }
};

coro::Task<void> start_and_serve(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  SupervisorWatch watch(supervisor);

  Status started = co_await supervisor.start();

  CO_ASSERT_OK(started);
  EXPECT_EQ(watch.count(Kind::kReady), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    ipc::Worker& worker = supervisor.workers()[i];
    EXPECT_EQ(worker.index, i);
    EXPECT_EQ(worker.start_count, 1u);
    EXPECT_TRUE(is_running(worker.pid));
    CO_ASSERT_TRUE(worker.port != nullptr);
    std::string back = co_await ask(*worker.port, ipc::Message("to each its own"));
    EXPECT_EQ(back, "to each its own");
  }
  const pid_t one = supervisor.workers()[0].pid;
  co_await supervisor.stop();
  EXPECT_FALSE(is_running(one));
  for (ipc::Worker& worker : supervisor.workers()) EXPECT_EQ(worker.port, nullptr);
  co_await supervisor.stop();  // once more does no harm
}

TEST_F(SupervisorTest, StartsEveryWorkerWithAPortOfItsOwn) { run(start_and_serve(workers(peer_setup("echo"), 3))); }

TEST_F(SupervisorTest, StartsWorkersWithoutSharedMemory) {
  PeerSetup setup = peer_setup("echo");
  setup.port.shared_memory = false;

  run(start_and_serve(workers(setup, 3)));
}

coro::Task<void> kill_and_see(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  SupervisorWatch watch(supervisor);
  Status started = co_await supervisor.start();
  CO_ASSERT_OK(started);
  ipc::Worker& victim = supervisor.workers()[0];
  ipc::Worker& other = supervisor.workers()[1];
  const pid_t old_pid = victim.pid;
  const pid_t other_pid = other.pid;
  std::shared_ptr<ipc::Port> old_port = victim.port;

  for (std::uint64_t round = 1; round <= 3; ++round) {
    EXPECT_EQ(::kill(victim.pid, SIGKILL), 0);
    co_await watch.until(Kind::kReady, 2 + round);

    EXPECT_EQ(watch.count(Kind::kEnded), round);
    EXPECT_NE(watch.last(Kind::kEnded).find("SIGKILL"), std::string::npos) << watch.last(Kind::kEnded);
    EXPECT_EQ(victim.start_count, 1 + round);
    EXPECT_GT(victim.died_ns, 0);
    EXPECT_GE(victim.ready_ns, victim.died_ns);
    std::string back = co_await ask(*victim.port, ipc::Message("again"));
    EXPECT_EQ(back, "again");
  }

  EXPECT_NE(victim.pid, old_pid);
  EXPECT_FALSE(old_port->status().ok());
  EXPECT_EQ(other.pid, other_pid) << "the other one goes on";
  EXPECT_EQ(other.start_count, 1u);
  old_port.reset();
  co_await supervisor.stop();
}

TEST_F(SupervisorTest, RestartsAWorkerThatWasKilledAndLeavesTheOthers) {
  ipc::WorkerOptions options = workers(peer_setup("echo"), 2);
  options.healthy_after_ms = 0;  // at once

  run(kill_and_see(options));
}

coro::Task<void> close_one(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  SupervisorWatch watch(supervisor);
  Status started = co_await supervisor.start();
  CO_ASSERT_OK(started);

  Status sent = co_await supervisor.workers()[0].port->send(ipc::Message("close"));
  EXPECT_OK(sent);
  co_await watch.until(Kind::kReady, 2);

  EXPECT_NE(watch.last(Kind::kEnded).find("was killed"), std::string::npos) << watch.last(Kind::kEnded);
  co_await supervisor.stop();
}

TEST_F(SupervisorTest, RestartsAWorkerThatClosedItsPortAndLivesOn) {
  ipc::WorkerOptions options = workers(peer_setup("close_and_live"), 1);
  options.healthy_after_ms = 0;
  options.drain_ms = 10;

  run(close_one(options));
}

coro::Task<void> start_and_stop(ipc::WorkerOptions options) {
  ipc::Supervisor supervisor(options);
  Status started = co_await supervisor.start();
  CO_ASSERT_OK(started);
  const pid_t pid = supervisor.workers()[0].pid;

  co_await supervisor.stop();

  EXPECT_FALSE(is_running(pid));
}

TEST_F(SupervisorTest, StopGivesWorkersTimeToEndByThemselves) {
  const TemporaryFolder folder;
  ipc::WorkerOptions options = workers(peer_setup("end_in_good_order"), 2);
  options.environment = {"WHARF_TEST_FILE=" + folder.path() + "/ended"};
  options.drain_ms = 3'600'000;

  run(start_and_stop(options));

  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/ended"));
}

TEST_F(SupervisorTest, StopKillsAStubbornWorker) {
  ipc::WorkerOptions options = workers(peer_setup("stubborn"), 2);
  options.drain_ms = 20;

  run(start_and_stop(options));
}

// The process that supervises is killed: its worker sees the end of its link, and ends.
coro::Task<void> orphan(ipc::Port& port, PeerProcess& peer) {
  auto told = co_await port.receive();
  CO_ASSERT_TRUE(told.has_value());
  const auto worker = value_of<pid_t>(told->to_string());
  EXPECT_TRUE(is_running(worker));
  const runtime::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
  CO_ASSERT_TRUE(pidfd.get() >= 0);

  co_await peer.kill();

  auto ended = co_await runtime::poll(pidfd.get(), POLLIN);
  EXPECT_OK(ended.status());
}

TEST_F(SupervisorTest, WorkersEndWhenTheirSupervisorDies) { run(peer_setup("supervise"), orphan); }

}  // namespace
}  // namespace wharf::test
