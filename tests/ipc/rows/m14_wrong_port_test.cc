// M14: memory of one link that is sent through another.
#include <cstddef>
#include <string>
#include <utility>

#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kBytes = 20'000;

coro::Task<void> send_elsewhere(ipc::Port& port, PeerProcess& /*peer*/) {
  PeerProcess stranger(peer_setup("echo"));
  auto other = co_await stranger.open({});
  CO_ASSERT_TRUE(other != nullptr);
  const std::string lent = pattern(kBytes, 1);
  auto received = co_await port.call(ipc::Message(lent));
  CO_ASSERT_OK(received.status());
  auto loan = co_await port.loan(kBytes);
  CO_ASSERT_OK(loan.status());
  const std::string written = pattern(kBytes, 2);
  written.copy(reinterpret_cast<char*>(loan->data()), kBytes);
  const ipc::PortCounters before = other->counters();

  ipc::Message message;
  message.append_blocks_of(*received);
  message.append(*std::move(loan));
  auto back = co_await other->call(std::move(message));

  CO_ASSERT_OK(back.status());
  EXPECT_TRUE(back->to_string() == lent + written);
  const ipc::PortCounters after = other->counters();
  EXPECT_EQ(after.bytes_copied_to_arena - before.bytes_copied_to_arena, 2 * kBytes);
  EXPECT_EQ(after.blocks_returned_as_payload, before.blocks_returned_as_payload);
  co_await settle(port);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u) << "the loan has gone home when it was copied";
  back = absl::UnknownError("");
  other.reset();
  co_await stranger.join();
}

TEST_F(LaneRowTest, M14_MemoryOfAnotherLinkIsCopiedCountedAndRight) { run(peer_setup("echo"), send_elsewhere); }

}  // namespace
}  // namespace wharf::test
