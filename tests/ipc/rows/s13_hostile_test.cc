// S13, M1, M3, M9 against a peer that breaks the rules: the link ends with a reason that names the field, everything that
// came is closed, everything that was lent comes back, and other links do not notice.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/lies.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

ipc::PortOptions options_against_liars(bool shared) {
  ipc::PortOptions options;
  options.shared_memory = shared;
  options.message_bytes_max = 1 << 20;
  options.lane.peer_arena_bytes_max = 1 << 20;
  return options;
}

coro::Task<void> receive_until_the_end(ipc::Port& port) {
  while (auto message = co_await port.receive()) {
  }
}

// Sends small messages for as long as the link lives: a full ring has to be noticed, too.
coro::Task<void> send_until_the_end(ipc::Port& port) {
  Status sent;
  while (sent.ok()) sent = co_await port.send(ipc::Message("small"));
}

coro::Task<void> hear_lie(PeerSetup setup, std::string_view reason) {
  PeerProcess liar(setup);
  PeerProcess honest(peer_setup("echo"));
  auto other = co_await honest.open({});
  auto port = co_await liar.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr && other != nullptr);
  coro::Scope scope;
  scope.spawn(receive_until_the_end(*port));
  if (setup.port.shared_memory) {
    const std::string lent(5000, 'x');
    Status sent = co_await port->send(ipc::Message(lent));
    static_cast<void>(sent);  // the lie may have come before
    scope.spawn(send_until_the_end(*port));
  }

  bool closed = co_await port->closed();
  co_await scope.join();

  EXPECT_TRUE(closed);
  EXPECT_EQ(port->status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(port->status().message()).find(reason), std::string::npos) << port->status();
  EXPECT_EQ(port->counters().blocks_lent_now, 0u);
  EXPECT_EQ(port->counters().arena_used_bytes, 0u);
  std::string back = co_await ask(*other, ipc::Message("undisturbed"));
  EXPECT_EQ(back, "undisturbed");
  port.reset();
  other.reset();
  co_await liar.join();
  co_await honest.join();
}

class LieTest : public PortTest, public ::testing::WithParamInterface<Lie> {
 protected:
  void hear(std::span<const Lie> lies) {
    PeerSetup setup = peer_setup("liar", options_against_liars(GetParam().shared_memory));
    while (std::string_view(lies[setup.argument].name) != GetParam().name) ++setup.argument;
    run(hear_lie(setup, GetParam().reason));
  }
};

std::string name_of(const ::testing::TestParamInfo<Lie>& lie) { return lie.param.name; }

using SocketLieTest = LieTest;
class LaneLieTest : public LieTest {};

TEST_P(SocketLieTest, S13_EndsTheLinkAndNamesTheField) { hear(socket_lies()); }
INSTANTIATE_TEST_SUITE_P(, SocketLieTest, ::testing::ValuesIn(socket_lies().begin(), socket_lies().end()), name_of);

TEST_P(LaneLieTest, M3_M9_EndsTheLinkAndNamesTheField) { hear(lane_lies()); }
INSTANTIATE_TEST_SUITE_P(, LaneLieTest, ::testing::ValuesIn(lane_lies().begin(), lane_lies().end()), name_of);

coro::Task<void> be_intruded_upon(PeerSetup setup) {
  PeerProcess intruder(setup);
  auto port = co_await intruder.open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  EXPECT_OK(port->status());
  port.reset();
  co_await intruder.join();
}

TEST_F(PortTest, M1_ThePeerCanReadOurMemoryAndInNoWayWriteIt) {
  run(be_intruded_upon(peer_setup("intruder")));
}


}  // namespace
}  // namespace wharf::test
