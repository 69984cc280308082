// S8, D11: messages of every size, from nothing to a gibibyte, of one span or of thousands.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wharf/tests/ipc/peers/large.h"
#include "wharf/tests/ipc/port_test.h"

namespace wharf::test {
namespace {

constexpr std::size_t kMiB = 1 << 20;

coro::Task<void> echo_every_size(ipc::Port& port, PeerProcess& /*peer*/) {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{1024}, std::size_t{1025}, std::size_t{16 * 1024},
        std::size_t{16 * 1024 + 1}, std::size_t{64 * 1024}, std::size_t{64 * 1024 + 1}, std::size_t{256 * 1024 + 1},
        kMiB, 4 * kMiB, 4 * kMiB + 1, 9 * kMiB}) {
    const std::string payload = pattern(bytes);

    std::string back = co_await ask(port, ipc::Message(payload));

    EXPECT_TRUE(back == payload) << bytes;
  }
  co_await settle(port);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

TEST_P(PortRowTest, S8_MessagesOfEverySizeArriveWhole) { run(setup("echo"), echo_every_size); }

coro::Task<void> gather_spans(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string whole = pattern(200'000);
  for (const std::size_t span_bytes : {std::size_t{1}, std::size_t{7}, std::size_t{63}, std::size_t{5000}}) {
    ipc::Message message;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < 3000 && bytes < whole.size(); ++i) {
      const std::size_t count = std::min(1 + (i * 31) % span_bytes, whole.size() - bytes);
      message.append(std::string_view(whole).substr(bytes, count));
      bytes += count;
    }

    std::string back = co_await ask(port, std::move(message));

    EXPECT_TRUE(back == std::string_view(whole).substr(0, bytes)) << span_bytes;
  }
}

TEST_P(PortRowTest, S8_ThousandsOfSpansAreGatheredIntoOnePayload) { run(setup("echo"), gather_spans); }

// Descriptors ride with the first fragment, and arrive with the whole.
coro::Task<void> send_descriptors_along(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload = pattern(5 * kMiB);
  for (int round = 0; round < 3; ++round) {
    ipc::Message message(payload);
    for (std::uint64_t i = 0; i < 15; ++i) {
      message.attach(runtime::UniqueFd(::dup(STDERR_FILENO)));
    }
    auto reply = co_await port.call(std::move(message));
    CO_ASSERT_OK(reply.status());
    EXPECT_EQ(reply->fd_count(), 15u) << "the file that carries the payload is not shown";
    EXPECT_TRUE(reply->to_string() == payload);
  }
}

TEST_P(PortRowTest, S8_ALargeMessageMayCarryDescriptors) { run(setup("echo"), send_descriptors_along); }

struct Bytes {
  explicit Bytes(std::size_t count) : data(new std::byte[count]), size(count) { stamp_pages({data.get(), size}); }
  std::unique_ptr<std::byte[]> data;
  const std::size_t size;
};

coro::Task<void> send_pages(ipc::Port& port, std::size_t bytes) {
  const Bytes payload(bytes);
  ipc::Message request(1, std::span<const std::byte>(payload.data.get(), payload.size));

  std::string answer = co_await ask(port, std::move(request));

  const auto report = value_of<PageReport>(answer);
  EXPECT_EQ(report.size_bytes, bytes);
  EXPECT_EQ(report.wrong_count, 0u);
  EXPECT_EQ(report.file_count, port.uses_shared_memory() ? 1u : 0u);
}

PeerSetup with_large_messages(bool shared_memory) {
  ipc::PortOptions options;
  options.shared_memory = shared_memory;
  options.message_bytes_max = std::size_t{4} << 30;
  return peer_setup("check_pages", options);
}

TEST_F(LaneRowTest, S8_AGibibyteOfPlainBytesGoesAsASealedFile) {
  run(with_large_messages(true), [](ipc::Port& port, PeerProcess& /*peer*/) -> coro::Task<void> {
    const std::size_t bytes = kSanitized ? 64 * kMiB : 1024 * kMiB;
    co_await send_pages(port, bytes);
    EXPECT_EQ(port.counters().files_copied, 1u);
    EXPECT_EQ(port.counters().quanta, bytes / (256 * 1024));
  });
}

// The largest that there is: its size needs the 33rd bit of a descriptor.
coro::Task<void> send_the_largest(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::size_t bytes = kSanitized ? 64 * kMiB : std::size_t{4} << 30;
  auto file = ipc::PayloadFile::create(bytes);
  CO_ASSERT_OK(file.status());
  const std::array<std::size_t, 4> places = {0, bytes / 2 - 1, bytes / 2, bytes - 1};
  for (const std::size_t place : places) file->bytes()[place] = static_cast<std::byte>(place % 251 + 1);
  ipc::Message request(1);
  request.append(*std::move(file));

  auto back = co_await port.call(std::move(request));  // the same file

  CO_ASSERT_OK(back.status());
  CO_ASSERT_EQ(back->part_count(), 1u);
  CO_ASSERT_EQ(back->part(0).size(), bytes);
  for (const std::size_t place : places) {
    EXPECT_EQ(std::to_integer<std::size_t>(back->part(0)[place]), place % 251 + 1) << place;
  }
  EXPECT_EQ(port.counters().files_copied, 0u);
}

TEST_F(LaneRowTest, S8_FourGibibytesAreOneMessage) {
  run(peer_setup("give_back", with_large_messages(true).port), send_the_largest);
}

TEST_F(PortTest, S8_AQuarterOfAGibibyteGoesOverTheSocket) {
  run(with_large_messages(false), [](ipc::Port& port, PeerProcess& /*peer*/) -> coro::Task<void> {
    const std::size_t bytes = kSanitized ? 16 * kMiB : 256 * kMiB;
    co_await send_pages(port, bytes);
    EXPECT_EQ(port.counters().fragments_sent, bytes / (16 * 1024));
  });
}

coro::Task<void> send_too_much(ipc::Port& port, PeerProcess& /*peer*/) {
  const std::string payload(kMiB + 1, 'x');
  auto refused = co_await port.call(ipc::Message(payload));
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);

  std::string back = co_await ask(port, ipc::Message(std::string_view(payload).substr(1)));
  EXPECT_EQ(back.size(), kMiB);
}

TEST_P(PortRowTest, S8_WhatIsLargerThanAgreedIsRefusedAndNothingElse) {
  ipc::PortOptions options;
  options.message_bytes_max = kMiB;

  run(setup("echo", options), send_too_much);
}

}  // namespace
}  // namespace wharf::test
