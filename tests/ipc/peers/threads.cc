// Peers of tests whose own threads share a port.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

namespace wharf::test {

// Receives what many threads send (see Numbered): each thread's in order, every one whole. Tells whoever asks how many.
WHARF_PEER(count_by_thread) {
  std::map<std::uint64_t, std::uint64_t> next;
  std::uint64_t count = 0;
  while (auto message = co_await peer.port().receive()) {
    if (message->is_request()) {
      Status sent = co_await message->reply(ipc::Message(bytes_of(count)));
      WANT(ended_or_ok(sent));
      continue;
    }
    const std::string payload = message->to_string();
    const auto numbered = value_of<Numbered>(payload);
    WANT_EQ(numbered.sequence, next[numbered.thread]);
    WANT(payload == numbered_payload(numbered));
    const bool has_file = numbered.sequence % kNumberedFilePeriod == 0;
    WANT_EQ(message->fd_count(), has_file ? 1u : 0u);
    WANT(!has_file || number_in(message->take_fd(0)) == numbered.sequence);
    ++next[numbered.thread];
    ++count;
  }
  co_return absl::OkStatus();
}

// Receives nothing until it is cued; then everything. Tells whoever asks how many.
WHARF_PEER(withhold) {
  bool cued = co_await peer.until_cued();
  WANT(cued);
  std::uint64_t count = 0;
  while (auto message = co_await peer.port().receive()) {
    ++count;
    if (!message->is_request()) continue;
    Status sent = co_await message->reply(ipc::Message(bytes_of(count)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Sends `argument` messages in blocks of its arena; then it tells its counters to whoever asks.
WHARF_PEER(lend_then_count) {
  for (std::uint64_t i = 0; i < peer.argument(); ++i) {
    auto loan = co_await peer.port().loan(4096);
    WANT_OK(loan.status());
    std::memcpy(loan->data(), &i, sizeof(i));
    Status sent = co_await peer.port().send(ipc::Message(0, *std::move(loan)));
    WANT_OK(sent);
  }
  while (auto message = co_await peer.port().receive()) {
    const ipc::PortCounters counters = peer.port().counters();
    Status sent = co_await message->reply(ipc::Message(bytes_of(counters)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Calls `argument` times. The test answers every third with its own payload, fails the next, and drops the third.
WHARF_PEER(call_in_threes) {
  for (std::uint64_t i = 0; i < peer.argument(); ++i) {
    const std::string payload = pattern(i % 3000, i);
    auto reply = co_await peer.port().call(ipc::Message(static_cast<std::uint32_t>(i), payload));
    if (i % 3 == 0) {
      WANT_OK(reply.status());
      WANT(reply->to_string() == payload);
    }
    if (i % 3 == 1) WANT_EQ(reply.status().code(), StatusCode::kNotFound);
    if (i % 3 == 2) WANT_EQ(reply.status().code(), StatusCode::kAborted);
  }
  Status sent = co_await peer.port().send(ipc::Message("done"));
  WANT_OK(sent);
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  co_return absl::OkStatus();
}

}  // namespace wharf::test
