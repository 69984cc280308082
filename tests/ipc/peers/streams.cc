// Peers that answer in parts, and take requests in parts.
#include "wharf/tests/ipc/peers/streams.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/raw_link.h"

namespace wharf::test {
namespace {

coro::Task<void> count_up(ipc::Message request, std::uint64_t last, Seen& seen) {
  for (std::uint64_t i = 0; i < last; ++i) {
    Status sent = co_await request.reply_part(ipc::Message(kCountUp, bytes_of(i)));
    if (sent.code() == StatusCode::kCancelled) ++seen.given_up;
    if (!sent.ok()) co_return;
  }
  Status sent = co_await request.reply(ipc::Message(kCountUp, bytes_of(last)));
  static_cast<void>(sent);
}

coro::Task<void> add_up(ipc::Message request, std::uint64_t sum, Seen& seen) {
  bool more = request.has_more();
  while (more) {
    StatusOr<ipc::Message> part = co_await request.next_part();
    if (part.status().code() == StatusCode::kCancelled) ++seen.given_up;
    if (!part.ok()) co_return;
    more = part->has_more();
    const std::string payload = part->to_string();
    sum += value_of<std::uint64_t>(payload);
  }
  const std::string answer(bytes_of(sum));
  Status sent = co_await request.reply(ipc::Message(kAddUp, answer));
  static_cast<void>(sent);
}

coro::Task<void> answer(Peer& peer, ipc::Message request, Seen& seen) {
  const std::string payload = request.to_string();
  const auto number = value_of<std::uint64_t>(payload);
  if (request.type() != kTellSeen) {
    ++seen.requests;
    seen.sum += number;
  }
  if (request.type() == kCountUp) {
    co_await count_up(std::move(request), number, seen);
  } else if (request.type() == kAddUp) {
    co_await add_up(std::move(request), number, seen);
  } else if (request.type() == kTellSeen) {
    const ipc::PortCounters counters = peer.port().counters();
    seen.expired = counters.requests_expired;
    seen.blocks_lent_now = counters.blocks_lent_now;
    const std::string told(bytes_of(seen));
    Status sent = co_await request.reply(ipc::Message(kTellSeen, told));
    static_cast<void>(sent);
  } else {
    Status sent = co_await request.reply(ipc::Message(request.type(), payload));
    static_cast<void>(sent);
  }
}

coro::Task<Status> serve_streams(Peer& peer) {
  Seen seen;
  coro::Scope scope;
  while (auto request = co_await peer.port().receive()) {
    if (request->is_request()) scope.spawn(answer(peer, *std::move(request), seen));
  }
  co_await scope.join();
  co_return absl::OkStatus();
}

}  // namespace

WHARF_PEER(stream) {
  Status served = co_await serve_streams(peer);
  co_return served;
}

// The same, but receives nothing before it is cued.
WHARF_PEER(stream_when_cued) {
  bool cued = co_await peer.until_cued();
  WANT(cued);
  Status served = co_await serve_streams(peer);
  co_return served;
}

// Cued, breaks the rules of streams; then the other side has to close the link.
WHARF_RAW_PEER(break_streams) {
  {
    RawLink link(peer.take_link(), true);
    Status shaken = link.shake_hands();
    WANT_OK(shaken);
    peer.cue();
    WANT(peer.wait_until_cued());
    if (peer.argument() == kLongError) {
      shm::RecordHeader error{};
      error.kind = shm::RecordKind::kMessage;
      error.flags = shm::kFlagReply | shm::kFlagError;
      error.inline_bytes = 1000;
      error.type = static_cast<std::uint32_t>(StatusCode::kNotFound);
      error.stream = (std::uint64_t{1} << 32) + 1;
      link.write_record(error, std::string(1000, 'x'), shm::record_cells(0, 1000));
      link.publish();
      link.wait_for_end();
      co_return absl::OkStatus();
    }
    const bool replies = peer.argument() == kTooManyReplies;
    shm::RecordHeader record{};
    record.kind = shm::RecordKind::kMessage;
    record.flags = shm::kFlagMore | (replies ? shm::kFlagReply : shm::kFlagRequest);
    record.stream = replies ? (std::uint64_t{1} << 32) + 1 : 7;  // of the other side's first call
    link.write_record(record);
    if (peer.argument() == kTooManyParts) record.flags |= shm::kFlagContinued;
    const int further = peer.argument() == kOpenTwice ? 1 : 17;
    for (int i = 0; i < further; ++i) link.write_record(record);
    link.publish();
    link.wait_for_end();
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
