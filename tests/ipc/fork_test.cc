// A process that forks while its ports are open: the child has no part in them.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/tests/ipc/peers/forking.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

// A child that the peer has forked, which lives for as long as this does.
struct Grandchild {
  Grandchild() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    leash.reset(fds[0]);
    its_end.reset(fds[1]);
  }
  // False: it has gone.
  coro::Task<bool> lives() {
    char byte = '?';
    EXPECT_EQ(::write(leash.get(), &byte, 1), 1);
    auto count = co_await runtime::recv(leash.get(), std::as_writable_bytes(std::span(&byte, 1)));
    co_return count.ok() && *count == 1;
  }
  runtime::UniqueFd leash;
  runtime::UniqueFd its_end;
};

coro::Task<void> die_and_leave_a_child(ipc::Port& port, PeerProcess& peer) {
  Grandchild grandchild;
  ipc::Message order(kForkAndStay);
  order.attach(std::move(grandchild.its_end));
  std::string done = co_await ask(port, std::move(order));
  EXPECT_EQ(done, "");
  std::string back = co_await ask(port, ipc::Message("as ever"));
  EXPECT_EQ(back, "as ever");

  co_await peer.kill();
  bool closed = co_await port.closed();

  EXPECT_TRUE(closed);
  EXPECT_EQ(port.status().code(), StatusCode::kUnavailable);
  bool lives = co_await grandchild.lives();
  EXPECT_TRUE(lives) << "the test shows nothing if it has gone";
}

TEST_P(PortRowTest, Fork_TheEndOfAProcessShowsThoughItsChildLives) { run(setup("forker"), die_and_leave_a_child); }

coro::Task<void> close_and_leave_a_child(ipc::Port& port, PeerProcess& peer) {
  Grandchild grandchild;
  ipc::Message order(kForkAndStay);
  order.attach(std::move(grandchild.its_end));
  std::string done = co_await ask(port, std::move(order));
  EXPECT_EQ(done, "");

  port.close();
  co_await peer.join();  // it has seen the end, and no descriptor was left in it

  bool lives = co_await grandchild.lives();
  EXPECT_TRUE(lives);
}

TEST_P(PortRowTest, Fork_AProcessWithAChildSeesTheEndOfItsPeer) { run(setup("forker"), close_and_leave_a_child); }

coro::Task<void> go_on(ipc::Port& port, PeerProcess& /*peer*/) {
  for (const std::uint32_t request : {kForkAndExit, kSpawn, kVfork, kForkAndExit}) {
    std::string done = co_await ask(port, ipc::Message(request));
    EXPECT_EQ(done, "");
    const std::string payload = pattern(200'000, request);
    std::string back = co_await ask(port, ipc::Message(payload));
    EXPECT_EQ(back, payload);
  }
  EXPECT_OK(port.status());
}

TEST_P(PortRowTest, Fork_ChildrenThatComeAndGoDisturbNothing) { run(setup("forker"), go_on); }

// The exit status of a child of fork() that has no descriptor but those of `may_have`; but for `link`, which was one of them.
int fork_and_look(const std::map<int, std::string>& may_have, int link) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const auto& [fd, target] : open_fds()) {
      const auto known = may_have.find(fd);
      if (fd == link || known == may_have.end() || known->second != target) ::_exit(1);
    }
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

coro::Task<void> expect_the_end(ipc::Port& port) {
  auto message = co_await port.receive();
  EXPECT_FALSE(message.has_value());
}

coro::Task<void> fork_beside_a_port(PeerSetup setup) {
  PeerProcess peer(setup);
  const std::map<int, std::string> before = open_fds();
  const int link = peer.link().get();
  auto port = co_await peer.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  const std::string large = pattern(200'000);
  std::string back = co_await ask(*port, ipc::Message(large));
  EXPECT_EQ(back, large);
  coro::Scope scope;
  scope.spawn(expect_the_end(*port));
  co_await next_turn();  // it waits: on epoll, with a descriptor of its own

  const int found = fork_and_look(before, link);

  EXPECT_EQ(found, 0) << "the child has a descriptor of the link";
  back = co_await ask(*port, ipc::Message(large));
  EXPECT_EQ(back, large);
  port->close();
  co_await scope.join();
  port.reset();
  co_await peer.join();
}

TEST_P(PortRowTest, Fork_AChildHasNoDescriptorOfALink) { run(fork_beside_a_port(setup("forker"))); }

}  // namespace
}  // namespace wharf::test
