// S10, M7, M8: which way each part of a payload takes, and that it takes no other; files as payload.
#include <fcntl.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "wharf/ipc/payload_file.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/peers/large.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kKiB = 1024;

ipc::PortOptions with_arena(std::size_t bytes_max) {
  ipc::PortOptions options;
  options.lane.arena_bytes_max = bytes_max;
  return options;
}

// Inline, a loan, small and large plain bytes, in one message.
coro::Task<void> send_every_kind(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string small = pattern(100, 1);
  const std::string lent = pattern(5000, 2);
  const std::string medium = pattern(300 * kKiB, 3);
  const std::string large = pattern(600 * kKiB, 4);
  auto first = co_await port.loan(lent.size());
  auto second = co_await port.loan(lent.size());
  CO_ASSERT_TRUE(first.ok() && second.ok());
  std::memcpy(first->data(), lent.data(), lent.size());
  std::memcpy(second->data(), lent.data(), lent.size());
  ipc::Message message(small);
  message.append(*std::move(first)).append(medium).append(*std::move(second)).append(large);

  std::string back = co_await ask(port, std::move(message));

  EXPECT_TRUE(back == small + lent + medium + lent + large);
  const ipc::PortCounters counters = port.counters();
  EXPECT_EQ(counters.parts_inline, 1u);
  EXPECT_EQ(counters.bytes_copied_inline, small.size());
  EXPECT_EQ(counters.blocks_lent, 4u) << "two loans, and two blocks that were copied";
  EXPECT_EQ(counters.blocks_copied, 2u);
  EXPECT_EQ(counters.bytes_copied_to_arena, medium.size());
  EXPECT_EQ(counters.files_sent, 1u);
  EXPECT_EQ(counters.files_copied, 1u);
  EXPECT_EQ(counters.bytes_copied_to_files, large.size());
  EXPECT_EQ(counters.fragments_sent, 0u);
}

TEST_F(LaneRowTest, S10_EachPartOfAMixedPayloadTakesItsOwnRoute) {
  run(peer_setup("echo", with_arena(kKiB * kKiB)), send_every_kind);
}

coro::Task<void> send_without_an_arena(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload = pattern(5000);

  std::string back = co_await ask(port, ipc::Message(payload));

  EXPECT_TRUE(back == payload);
  EXPECT_EQ(port.counters().files_sent, 1u);
}

TEST_F(LaneRowTest, S10_WithoutAnArenaPlainBytesGoAsFiles) {
  run(peer_setup("echo", with_arena(0)), send_without_an_arena);
}

coro::Task<void> send_payload_file(ipc::Port& port, PeerProcess& /*peer*/) {
  constexpr std::size_t kBytes = 8 * kKiB * kKiB;
  auto file = ipc::PayloadFile::create(kBytes);
  CO_ASSERT_OK(file.status());
  stamp_pages(file->bytes());
  ipc::Message message(1, *std::move(file));
  message.attach(runtime::UniqueFd(::dup(STDERR_FILENO)));

  std::string answer = co_await ask(port, std::move(message));

  const auto report = value_of<PageReport>(answer);
  EXPECT_EQ(report.size_bytes, kBytes);
  EXPECT_EQ(report.wrong_count, 0u);
  EXPECT_EQ(report.fd_count, 1u) << "the file is not shown among them";
  EXPECT_EQ(report.file_count, port.uses_shared_memory() ? 1u : 0u);
  EXPECT_EQ(port.counters().bytes_copied_to_files + port.counters().bytes_copied_to_arena, 0u);
  EXPECT_EQ(port.counters().files_sent, port.uses_shared_memory() ? 1u : 0u);
}

TEST_P(PortRowTest, M7_APayloadFileIsSentAsItIsOrReadOutOverTheSocket) { run(setup("check_pages"), send_payload_file); }

// What comes back is the same file: forwarded without a copy, and beyond anybody's reach.
coro::Task<void> forward_file(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload = pattern(9 * kKiB * kKiB);
  ipc::Message request(payload);
  auto reply = co_await port.call(std::move(request));
  CO_ASSERT_OK(reply.status());
  CO_ASSERT_EQ(reply->part_count(), 1u);

  EXPECT_EQ(reply->part_bytes(0), payload.size());
  EXPECT_EQ(reply->fd_count(), 0u);
  EXPECT_TRUE(reply->to_string() == payload);
  runtime::UniqueFd file = reply->take_file(0);
  CO_ASSERT_TRUE(static_cast<bool>(file));
  EXPECT_EQ(reply->size_bytes(), 0u);
  char start[16] = {};
  EXPECT_EQ(::pread(file.get(), start, sizeof(start), 0), static_cast<ssize_t>(sizeof(start)));
  EXPECT_EQ(std::string(start, sizeof(start)), payload.substr(0, sizeof(start)));
  EXPECT_LT(::pwrite(file.get(), "x", 1, 0), 0);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0), MAP_FAILED);
  EXPECT_FALSE(static_cast<bool>(reply->take_file(0))) << "it is gone";
}

TEST_F(LaneRowTest, M8_AFileIsMappedOrTakenAndSentOnWithoutACopy) { run(peer_setup("give_back"), forward_file); }

// Sixteen descriptors in all: with as many of the user's own there is none for a file.
coro::Task<void> send_sixteen_descriptors(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string half = pattern(512 * kKiB);
  const std::string most = pattern(900 * kKiB);
  const std::string more = pattern(1100 * kKiB);
  for (const std::string* payload : {&half, &most, &more}) {
    ipc::Message message(*payload);
    for (int i = 0; i < 16; ++i) message.attach(runtime::UniqueFd(::dup(STDERR_FILENO)));
    auto reply = co_await port.call(std::move(message));
    if (payload == &more) {
      EXPECT_EQ(reply.status().code(), StatusCode::kResourceExhausted);
    } else {
      CO_ASSERT_OK(reply.status());
      EXPECT_EQ(value_of<Description>(reply->to_string()).size_bytes, payload->size());
      EXPECT_EQ(value_of<Description>(reply->to_string()).fd_count, 16u);
    }
  }
  EXPECT_EQ(port.counters().files_sent, 0u);
}

TEST_F(LaneRowTest, S10_WithoutADescriptorToSpareLargePayloadTakesTheArena) {
  run(peer_setup("describe", with_arena(kKiB * kKiB)), send_sixteen_descriptors);
}

TEST(PayloadFileTest, ASizeThatNoMessageCanHaveIsRefused) {
  EXPECT_EQ(ipc::PayloadFile::create(0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ipc::PayloadFile::create((std::size_t{4} << 30) + 1).status().code(), StatusCode::kInvalidArgument);
}

// Files that the peer has not received: no more than one message may have.
coro::Task<void> send_unread_files(ipc::Port& port, PeerProcess& peer) {
  Status sent;
  int count = 0;
  while (sent.ok() && count < 100) {
    const std::string payload(400 * kKiB, 'x');
    sent = co_await port.send(ipc::Message(payload), {.deadline_ns = in_ms(20)});
    count += sent.ok() ? 1 : 0;
  }
  EXPECT_EQ(sent.code(), StatusCode::kDeadlineExceeded);
  EXPECT_LE(count, 5) << "2 MiB";
  peer.cue();
}

TEST_F(LaneRowTest, M7_APeerThatReadsNothingIsSentNoMoreFilesThanOneMessageMayHave) {
  ipc::PortOptions options = with_arena(256 * kKiB);
  options.message_bytes_max = 2 * kKiB * kKiB;

  run(peer_setup("idle", options), send_unread_files);
}

}  // namespace
}  // namespace wharf::test
