// S1: creating a port.
#include <fcntl.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/support/fds.h"

namespace wharf::test {
namespace {

int socket_option(int socket, int name) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  EXPECT_EQ(::getsockopt(socket, SOL_SOCKET, name, &value, &bytes), 0);
  return value;
}

TEST(PortCreateTest, S1_EndPairIsSeqpacketAndCloseOnExec) {
  auto ends = ipc::Port::end_pair();

  ASSERT_TRUE(ends.ok());
  for (const ipc::PortEnd* end : {&ends->first, &ends->second}) {
    EXPECT_EQ(socket_option(end->fd(), SO_TYPE), SOCK_SEQPACKET);
    EXPECT_EQ(socket_option(end->fd(), SO_DOMAIN), AF_UNIX);
    EXPECT_TRUE(is_close_on_exec(end->fd()));
  }
}

coro::Task<void> open_and_measure(PeerSetup setup) {
  PeerProcess peer(setup);
  runtime::UniqueFd same_socket = duplicate(peer.link());

  auto port = co_await peer.open(setup.port);

  CO_ASSERT_TRUE(port != nullptr);
  const auto packet_bytes = static_cast<int>(setup.port.packet_bytes_max);
  EXPECT_GE(socket_option(same_socket.get(), SO_SNDBUF), packet_bytes);
  EXPECT_GE(socket_option(same_socket.get(), SO_RCVBUF), 4 * packet_bytes);
  same_socket.reset();
  port.reset();
  co_await peer.join();
}

TEST_P(PortRowTest, S1_SendBufferHoldsAPacketAndReceiveBufferFour) {
  for (const std::size_t packet_bytes_max : {1024, 16 * 1024, 64 * 1024}) {
    ipc::PortOptions options;
    options.packet_bytes_max = packet_bytes_max;

    run(open_and_measure(setup("echo", options)));
  }
}

coro::Task<void> send_up_to_the_limit(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string most = pattern(10'000);

  std::string back = co_await ask(port, ipc::Message(most));
  EXPECT_EQ(back, most);

  const std::string too_much = pattern(10'001);
  Status refused = co_await port.send(ipc::Message(too_much));
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  auto refused_call = co_await port.call(ipc::Message(too_much));
  EXPECT_EQ(refused_call.status().code(), StatusCode::kInvalidArgument);

  back = co_await ask(port, ipc::Message("still usable"));
  EXPECT_EQ(back, "still usable");
}

TEST_P(PortRowTest, S1_TheSmallerMessageLimitHoldsForBothSides) {
  ipc::PortOptions small;
  small.shared_memory = shared();
  small.message_bytes_max = 10'000;
  ipc::PortOptions large = small;
  large.message_bytes_max = 1'000'000;

  run(setup("echo", large), small, send_up_to_the_limit);
  run(setup("echo", small), large, send_up_to_the_limit);
}

TEST_P(PortRowTest, S1_APortUsesSharedMemoryOnlyIfBothSidesOfferIt) {
  PeerSetup without = peer_setup("echo");
  without.port.shared_memory = false;
  ipc::PortOptions own;
  own.shared_memory = shared();

  run(without, own, [](ipc::Port& port, PeerProcess& /*peer*/) -> coro::Task<void> {
    EXPECT_FALSE(port.uses_shared_memory());
    std::string back = co_await ask(port, ipc::Message("plain"));
    EXPECT_EQ(back, "plain");
  });
}

}  // namespace
}  // namespace wharf::test
