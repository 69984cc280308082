// What a message shows of payload that its sender may still change: by the level of trust.
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/ipc/message.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

PeerSetup echo_of(ipc::Trust trust) {
  PeerSetup setup = peer_setup("echo");
  setup.port.trust = trust;
  return setup;
}

// The echo of `text`, as the peer sent it from its own memory.
coro::Task<ipc::Message> echoed(ipc::Port& port, const std::string& text) {
  auto reply = co_await port.call(ipc::Message(text));
  EXPECT_OK(reply.status());
  co_return reply.ok() ? std::move(*reply) : ipc::Message();
}

std::string copied_from(const ipc::UntrustedBytes& bytes, std::size_t offset, std::size_t room) {
  std::string target(room, '.');
  target.resize(bytes.copy_out(offset, std::as_writable_bytes(std::span(target))));
  return target;
}

TEST_F(PortTest, M8_PayloadOfAHostilePeerIsCopiedOrUntrusted) {
  run(echo_of(ipc::Trust::kHostile), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    const std::string text = pattern(5000);
    ipc::Message message = co_await echoed(port, text);
    CO_ASSERT_EQ(message.part_count(), 1u);

    EXPECT_FALSE(message.stable());
    EXPECT_FALSE(message.part_is_stable(0));
    EXPECT_EQ(message.untrusted_part(0).size_bytes(), text.size());
    EXPECT_EQ(copied_from(message.untrusted_part(0), 4990, 100), text.substr(4990));
    EXPECT_EQ(copied_from(message.untrusted_part(0), 10, 20), text.substr(10, 20));
    EXPECT_EQ(copied_from(message.untrusted_part(0), 5000, 20), "");
    EXPECT_EQ(message.untrusted_part(0).for_kernel().size(), text.size());
    EXPECT_EQ(message.to_string(), text);
    std::string spare;
    EXPECT_EQ(message.text(spare), text);
    EXPECT_EQ(spare, text) << "a view would be one into the peer's memory";
  });
}

TEST_F(PortTest, M8_AStableMessageIsPrivateAndHasReturnedItsBlocks) {
  run(echo_of(ipc::Trust::kHostile), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    const std::string text = pattern(70'000);
    ipc::Message message = co_await echoed(port, text);

    message.make_stable();

    EXPECT_TRUE(message.stable());
    CO_ASSERT_EQ(message.part_count(), 1u);
    EXPECT_TRUE(message.part_is_stable(0));
    const std::span<const std::byte> part = message.part(0);
    EXPECT_TRUE(std::string(reinterpret_cast<const char*>(part.data()), part.size()) == text);
    message.make_stable();
    EXPECT_EQ(message.size_bytes(), text.size());
  });
}

TEST_F(PortTest, M8_InlinePayloadIsStableWhoeverSentIt) {
  run(echo_of(ipc::Trust::kHostile), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    ipc::Message message = co_await echoed(port, "a few bytes");

    EXPECT_TRUE(message.stable());
    EXPECT_EQ(message.part(0).size(), 11u);
  });
}

TEST_F(PortTest, M8_PayloadOfATrustedPeerIsShownInPlace) {
  run(echo_of(ipc::Trust::kTrusted), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    const std::string text = pattern(5000);
    ipc::Message message = co_await echoed(port, text);

    EXPECT_FALSE(message.stable()) << "the peer could change it, but it does not";
    EXPECT_EQ(message.part(0).size(), text.size());
    std::string spare;
    EXPECT_EQ(message.text(spare), text);
    EXPECT_TRUE(spare.empty());
  });
}

TEST_F(PortTest, M8_OurOwnMemoryThatComesBackIsStable) {
  PeerSetup setup = peer_setup("give_back");
  setup.port.trust = ipc::Trust::kHostile;
  run(setup, [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    const std::string text = pattern(5000);
    ipc::Message message = co_await echoed(port, text);

    EXPECT_TRUE(message.stable()) << "only this process can write there";
    EXPECT_EQ(message.part(0).size(), text.size());
  });
}

// Both ends hostile: each rings the other by packets.
TEST_F(PortTest, S5_PeersThatDoNotTrustEachOtherWakeEachOther) {
  PeerSetup setup = echo_of(ipc::Trust::kHostile);
  setup.spin_ns = 0;
  run(setup, [](ipc::Port& port, PeerProcess& peer) -> coro::Task<void> {
    for (int i = 0; i < 20; ++i) {
      co_await until_asleep(peer.pid());
      std::string back = co_await ask(port, ipc::Message("awake?"));
      CO_ASSERT_EQ(back, "awake?");
    }
    EXPECT_GE(port.counters().doorbells_rung, 20u);
  });
}

using MessageDeathTest = PortTest;

TEST_F(MessageDeathTest, APartThatAHostilePeerCanChangeIsNotShown) {
  run(echo_of(ipc::Trust::kHostile), [](ipc::Port& port, PeerProcess&) -> coro::Task<void> {
    ipc::Message message = co_await echoed(port, pattern(5000));

    EXPECT_DEATH(static_cast<void>(message.part(0)), "make_stable");
  });
}

}  // namespace
}  // namespace wharf::test
