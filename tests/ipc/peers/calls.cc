// Peers that answer calls: in another order, badly, late, or not at all.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/coro/when_any.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

namespace wharf::test {

// Receives `argument` requests, and answers the last first; later ones at once.
WHARF_PEER(answer_in_reverse) {
  std::vector<ipc::Message> requests;
  while (requests.size() < peer.argument()) {
    auto request = co_await peer.port().receive();
    WANT(request.has_value() && request->is_request());
    requests.push_back(*std::move(request));
  }
  while (!requests.empty()) {
    ipc::Message request = std::move(requests.back());
    requests.pop_back();
    const std::string payload = request.to_string();
    ipc::Message answer(request.type(), payload);
    Status sent = co_await request.reply(std::move(answer));
    WANT_OK(sent);
  }
  while (auto request = co_await peer.port().receive()) {
    Status sent = co_await request->reply(ipc::Message("once more"));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

namespace {

// The requests that are to wait until the cue.
struct Later {
  std::vector<ipc::Message> requests;
  bool cued = false;
};

// Does with one request what its type says.
coro::Task<Status> answer(ipc::Message request, Later& later) {
  const std::string payload = request.to_string();
  Status sent;
  if (request.type() == kDropIt) co_return sent;
  if (request.type() == kAnswerLater && !later.cued) {
    later.requests.push_back(std::move(request));
  } else if (request.type() == kFailIt) {
    const Status error = runtime::make_status(StatusCode::kNotFound, payload);
    sent = co_await request.reply_error(error);
  } else if (request.type() == kAnswerItWrongly) {
    ipc::Message wrong("too many files");
    for (int i = 0; i < 17; ++i) wrong.attach(numbered_file(0));
    sent = co_await request.reply(std::move(wrong));
    WANT_EQ(static_cast<int>(sent.code()), static_cast<int>(StatusCode::kInvalidArgument));
    sent = absl::OkStatus();
  } else {
    ipc::Message right(request.type(), payload);
    sent = co_await request.reply(std::move(right));
  }
  co_return sent;
}

coro::Task<void> answer_when_cued(Peer& peer, Later& later) {
  later.cued = co_await peer.until_cued();
  if (!later.cued) co_return;
  for (ipc::Message& request : later.requests) {
    Status sent = co_await request.reply(ipc::Message("late"));
    static_cast<void>(sent);
  }
}

}  // namespace

// Answers as the type of the request says; those that are to wait, when it is cued.
WHARF_PEER(answer_badly) {
  Later later;
  coro::Scope scope;
  scope.spawn(answer_when_cued(peer, later));
  Status status;
  while (auto request = co_await peer.port().receive()) {
    status = co_await answer(*std::move(request), later);
    if (!ended_or_ok(status)) break;
  }
  scope.cancel();
  co_await scope.join();
  WANT(ended_or_ok(status));
  co_return absl::OkStatus();
}

// Holds a request. Cued, it closes its sending, and receives to the end.
WHARF_PEER(close_sending_when_cued) {
  auto request = co_await peer.port().receive();
  WANT(request.has_value() && request->is_request());
  bool cued = co_await peer.until_cued();
  WANT(cued);
  Status closed = co_await peer.port().close_send();
  WANT_OK(closed);
  std::size_t count = 0;
  while (auto message = co_await peer.port().receive()) ++count;
  WANT_EQ(count, std::size_t{1});
  co_return absl::OkStatus();
}

// Answers with the request's own memory; a small one with its counters.
WHARF_PEER(give_back_and_count) {
  while (auto request = co_await peer.port().receive()) {
    ipc::Message reply;
    const ipc::PortCounters counters = peer.port().counters();
    if (request->size_bytes() < 100) {
      reply.append(bytes_of(counters));
    } else {
      reply.append_blocks_of(*request);
    }
    Status sent = co_await request->reply(std::move(reply));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

// Answers with a copy in memory of its own; a small request with its counters.
WHARF_PEER(copy_back_and_count) {
  while (auto request = co_await peer.port().receive()) {
    const std::string payload = request->to_string();
    const ipc::PortCounters counters = peer.port().counters();
    ipc::Message reply(payload.size() < 100 ? std::string_view(bytes_of(counters)) : payload);
    Status sent = co_await request->reply(std::move(reply));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
