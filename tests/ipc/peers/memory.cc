// Peers that hold blocks of the test's arena, and let go of them.
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/ipc/raw_link.h"
#include "wharf/tests/ipc/turns.h"

namespace wharf::test {

// Holds one message until it is cued and the test's process sleeps; then it lets go, and holds nothing more.
WHARF_PEER(let_go_when_the_test_sleeps) {
  std::optional<ipc::Message> held = co_await peer.port().receive();
  WANT(held.has_value());
  bool cued = co_await peer.until_cued();
  WANT(cued);
  wait_until_asleep(::getppid());
  held.reset();
  while (auto message = co_await peer.port().receive()) {
  }
  co_return absl::OkStatus();
}

// Answers requests, holds all else; cued, it waits until the test's process sleeps, lets go, and says so by a cue when
// that has been published.
WHARF_PEER(let_go_and_say_so) {
  std::vector<ipc::Message> held;
  const auto serve_until = [](Peer& self, std::vector<ipc::Message>& into, std::uint64_t count) -> coro::Task<Status> {
    while (into.size() < count) {
      auto message = co_await self.port().receive();
      if (!message.has_value()) break;
      if (!message->is_request()) {
        into.push_back(*std::move(message));
        continue;
      }
      into.clear();
      Status sent = co_await message->reply(ipc::Message("settled"));
      WANT(ended_or_ok(sent));
    }
    co_return absl::OkStatus();
  };
  Status served = co_await serve_until(peer, held, 20);
  WANT_OK(served);
  bool cued = co_await peer.until_cued();
  WANT(cued);
  wait_until_asleep(::getppid());
  held.clear();
  co_await next_turn();
  peer.cue();
  served = co_await serve_until(peer, held, UINT64_MAX);
  WANT_OK(served);
  co_return absl::OkStatus();
}

namespace {

void announce(RawLink& link, shm::Segment& segment) {
  Fds fds;
  fds.push_back(segment.take_fd());
  link.send_packet({.kind = PacketKind::kFds}, "", fds);
  shm::RecordHeader announced{};
  announced.kind = shm::RecordKind::kSegment;
  announced.fd_count = 1;
  announced.fds_sequence = static_cast<std::uint32_t>(link.next_sequence() - 1);
  link.write_record(announced);
}

void retire(RawLink& link, std::uint32_t id) {
  shm::RecordHeader retired{};
  retired.kind = shm::RecordKind::kRetire;
  retired.type = id;
  link.write_record(retired);
}

}  // namespace

// Announces `argument` segments, and retires each at once; all of it is there before the other side sees any.
WHARF_RAW_PEER(segments_come_and_go) {
  {
    RawLink link(peer.take_link(), true);
    Status shaken = link.shake_hands();
    WANT_OK(shaken);
    peer.cue();
    for (std::uint32_t id = 0; id < peer.argument(); ++id) {
      shm::SegmentHeader header{};
      header.kind = shm::SegmentKind::kArena;
      header.id = id;
      auto segment = shm::Segment::create(header, shm::kArenaDataOffset + 4096);
      WANT_OK(segment.status());
      announce(link, *segment);
      retire(link, id);
    }
    shm::RecordHeader message{};
    message.kind = shm::RecordKind::kMessage;
    link.write_record(message);
    link.publish();
    link.wait_for_end();
  }
  co_return absl::OkStatus();
}

// Lends a block, and retires its segment while the block is out.
WHARF_RAW_PEER(retires_early) {
  {
    RawLink link(peer.take_link(), true);
    Status shaken = link.shake_hands();
    WANT_OK(shaken);
    peer.cue();
    const std::string text = pattern(peer.argument());
    shm::SegmentHeader segment_header{};
    segment_header.kind = shm::SegmentKind::kArena;
    auto segment = shm::Segment::create(segment_header, shm::kArenaDataOffset + text.size());
    WANT_OK(segment.status());
    std::memcpy(segment->data() + shm::kArenaDataOffset, text.data(), text.size());
    announce(link, *segment);
    shm::RecordHeader message{};
    message.kind = shm::RecordKind::kMessage;
    message.block_count = 1;
    const shm::BlockDescriptor block{1, 0, 0, static_cast<std::uint32_t>(text.size())};
    link.write_record(message, bytes_of(block));
    retire(link, 0);
    message.block_count = 0;
    link.write_record(message);
    link.publish();
    link.wait_for_end();
  }
  co_return absl::OkStatus();
}

// Holds all that it receives, for ever; requests are answered.
WHARF_PEER(hold_all) {
  std::vector<ipc::Message> held;
  while (auto message = co_await peer.port().receive()) {
    if (!message->is_request()) {
      held.push_back(*std::move(message));
      continue;
    }
    Status sent = co_await message->reply(ipc::Message("held"));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
