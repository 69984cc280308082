#include "wharf/ipc/connector.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/ipc/detail/socket_name.h"
#include "wharf/ipc/listener.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/supervisor_watch.h"

namespace wharf::test {
namespace {

class ConnectPortTest : public PortTest {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/a_port_with_a_name_of_some_length";
};

// Fails with a message that has the name and `part` in it.
coro::Task<void> expect_no_port(std::string name, ipc::PortOptions options, StatusCode code, std::string part) {
  auto port = co_await ipc::connect_port(name, options);
  EXPECT_EQ(port.status().code(), code) << port.status();
  const std::string text(port.status().message());
  EXPECT_NE(text.find(name), std::string::npos) << text;
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

runtime::UniqueFd bound_socket(int type, const std::string& name, int backlog) {
  runtime::UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  auto parsed = ipc::detail::SocketName::parse(name);
  EXPECT_EQ(::bind(socket.get(), parsed->address(), parsed->address_bytes()), 0);
  EXPECT_EQ(::listen(socket.get(), backlog), 0);
  return socket;
}

TEST_F(ConnectPortTest, WithoutAServerAsksWhetherItRuns) {
  run(expect_no_port(path_, {}, StatusCode::kNotFound, "is the server running?"));
  run(expect_no_port("@wharf_test_nobody", {}, StatusCode::kNotFound, "is the server running?"));
}

TEST_F(ConnectPortTest, NamesWhatIsWrongWithTheNameOrAnOption) {
  run(expect_no_port(std::string(108, 'x'), {}, StatusCode::kInvalidArgument, "choose a shorter path"));
  run(expect_no_port(path_, {.handshake_timeout_ms = 0}, StatusCode::kInvalidArgument, "handshake_timeout_ms"));
}

TEST_F(ConnectPortTest, ToAnotherKindOfSocketIsRefused) {
  const runtime::UniqueFd other = bound_socket(SOCK_STREAM, path_, 8);
  run(expect_no_port(path_, {}, StatusCode::kFailedPrecondition, "no wharf program"));
}

// A server that never accepts: the deadline ends the handshake or, once the backlog is full, the connect.
TEST_F(ConnectPortTest, ToAServerThatAcceptsNobodyEndsAtTheDeadline) {
  const runtime::UniqueFd server = bound_socket(SOCK_SEQPACKET, path_, 1);
  for (int i = 0; i < 4; ++i) {
    run(expect_no_port(path_, {.handshake_timeout_ms = 20}, StatusCode::kDeadlineExceeded, ""));
  }
}

coro::Task<void> stop_connecting(std::string path) {
  coro::Scope scope;
  for (int i = 0; i < 4; ++i) {
    scope.spawn(expect_no_port(path, {.handshake_timeout_ms = 3'600'000}, StatusCode::kCancelled, ""));
  }
  for (int i = 0; i < 5; ++i) co_await next_turn();
  scope.cancel();
  co_await scope.join();
}

TEST_F(ConnectPortTest, CanBeStoppedWhereverItWaits) {
  const runtime::UniqueFd server = bound_socket(SOCK_SEQPACKET, path_, 1);
  run(stop_connecting(path_));
}

coro::Task<void> refuse_the_server(std::string path) {
  auto listener = ipc::PortListener::listen(path);
  CO_ASSERT_OK(listener.status());
  const ipc::CredentialPolicy nobody = [](const ipc::PeerCredentials& peer) {
    EXPECT_EQ(peer.pid, ::getpid());
    EXPECT_EQ(peer.uid, ::getuid());
    return absl::PermissionDeniedError("a stranger");
  };

  auto port = co_await ipc::connect_port(path, {}, nobody);

  EXPECT_EQ(port.status().code(), StatusCode::kPermissionDenied);
  EXPECT_NE(std::string(port.status().message()).find("refuses the server: a stranger"), std::string::npos)
      << port.status();
}

TEST_F(ConnectPortTest, AsksItsOwnPolicyWhetherTheServerIsToBeTrusted) { run(refuse_the_server(path_)); }

}  // namespace
}  // namespace wharf::test
