// Peers that serve: each goes on until the link ends.
#include "wharf/tests/ipc/peers/basic.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "wharf/tests/ipc/peer.h"

namespace wharf::test {

bool ended_or_ok(const Status& status) { return status.ok() || status.code() == StatusCode::kUnavailable; }

// Sends everything back as it came: type, payload and descriptors; a request as its reply.
WHARF_PEER(echo) {
  while (auto message = co_await peer.port().receive()) {
    const std::string payload = message->to_string();
    ipc::Message answer(message->type(), payload);
    for (std::size_t i = 0; i < message->fd_count(); ++i) answer.attach(message->take_fd(i));
    Status sent;
    if (message->is_request()) {
      sent = co_await message->reply(std::move(answer));
    } else {
      sent = co_await peer.port().send(std::move(answer));
    }
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Answers requests with their own payload, in the memory that it came in.
WHARF_PEER(give_back) {
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) continue;
    ipc::Message answer(message->type());
    answer.append_blocks_of(*message);
    Status sent = co_await message->reply(std::move(answer));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Receives, and answers every request with what it has seen of it.
WHARF_PEER(describe) {
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) continue;
    Description description{
        .type = message->type(),
        .deadline_ns = message->deadline_ns(),
        .size_bytes = message->size_bytes(),
        .part_count = message->part_count(),
        .fd_count = message->fd_count(),
    };
    Status sent = co_await message->reply(ipc::Message(bytes_of(description)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Keeps what it receives; a request lets go of everything, and is answered with the count.
WHARF_PEER(hold) {
  std::vector<ipc::Message> held;
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) {
      held.push_back(*std::move(message));
      continue;
    }
    const std::uint64_t count = held.size();
    held.clear();
    Status sent = co_await message->reply(ipc::Message(bytes_of(count)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Opens its port, and receives nothing until it is cued; then everything that came, and counts it. It is cued once more
// when it may end.
WHARF_PEER(late) {
  bool cued = co_await peer.until_cued();
  if (!cued) co_return absl::OkStatus();
  std::uint64_t count = 0;
  while (auto message = co_await peer.port().receive()) {
    if (message->is_request()) {
      Status sent = co_await message->reply(ipc::Message(bytes_of(count)));
      WANT(ended_or_ok(sent));
      continue;
    }
    if (message->size_bytes() >= sizeof(count)) {
      WANT_EQ(value_of<std::uint64_t>(message->to_string()), count);
    }
    ++count;
  }
  co_return absl::OkStatus();
}

// Opens its port and does nothing with it.
WHARF_PEER(idle) {
  bool cued = co_await peer.until_cued();
  static_cast<void>(cued);
  co_return absl::OkStatus();
}

// Tells its counters to whoever asks.
WHARF_PEER(count) {
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) continue;
    const ipc::PortCounters counters = peer.port().counters();
    Status sent = co_await message->reply(ipc::Message(bytes_of(counters)));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
