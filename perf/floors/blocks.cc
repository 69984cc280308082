// `blocks`: streams of large messages by wharf's own ring and arena, alone. The payload is written into a block that is lent,
// a record of 64 bytes tells of it, it is read in place, and its token comes home by the release ring. There is no port: no
// loan, no message object, no coroutine, no turn. What this takes more than `ring` is the format's.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/pause.h"
#include "wharf/shm/lane.h"

namespace wharf::perf {
namespace {

template <class T>
T value_of(StatusOr<T> result) {
  if (!result.ok()) fail(result.status().ToString().c_str());
  return *std::move(result);
}
void check_ok(const Status& status) {
  if (!status.ok()) fail(status.ToString().c_str());
}

// What has come home is looked for once in so many messages: it is then still in the cache, and the line that tells of it does
// not go to and fro for each.
constexpr std::uint64_t kCollectPeriod = 4;

class Stream final : public Duel {
 public:
  explicit Stream(const Load& load)
      : bytes_(load.payload_bytes),
        pause_(load),
        clients_(value_of(shm::Lane::create({}, nullptr))),
        servers_(value_of(shm::Lane::create({}, nullptr))) {
    const runtime::UniqueFd of_client = clients_->take_control_fd();
    const runtime::UniqueFd of_server = servers_->take_control_fd();
    check_ok(clients_->attach(of_server));
    check_ok(servers_->attach(of_client));
    make_arena();
  }

  void client(Side& side) override {
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) send(side, number);
    send(side, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    for (std::uint64_t number = 1; receive(side, number); ++number) {
    }
    side.finish();
  }

 private:
  // As large as it may become, and known to the server, before the fork.
  void make_arena() {
    std::vector<shm::OwnBlock> blocks;
    shm::OwnBlock block;
    while (clients_->arena().allocate(bytes_, block) == shm::Allocation::kOk) blocks.push_back(block);
    while (shm::Segment* segment = clients_->unannounced()) {
      const runtime::UniqueFd fd = segment->take_fd();
      check_ok(servers_->peer_arena().adopt(fd));
      clients_->announced();
    }
    for (const shm::OwnBlock& one : blocks) clients_->free(one.id);
  }

  void collect() {
    if (!clients_->collect()) fail("the releases are impossible");
  }

  void send(Side& side, std::uint64_t number) {
    shm::Lane& lane = *clients_;
    if (number % kCollectPeriod == 0) collect();
    shm::OwnBlock block;
    while (lane.lent().available() == 0 || lane.arena().allocate(bytes_, block) != shm::Allocation::kOk) {
      // Until a quarter is back: block by block, the two would wait for each other's lines.
      const std::size_t enough = lane.lent().lent_count() * 3 / 4;
      for (collect(); lane.lent().lent_count() > enough; collect()) pause_();
    }
    side.write(block.data, bytes_, number);
    std::byte* at = nullptr;
    while ((at = lane.writer().reserve(shm::record_cells(1, 0))) == nullptr) pause_();
    ::new (at) shm::RecordHeader{.kind = shm::RecordKind::kMessage, .block_count = 1};
    const shm::BlockDescriptor descriptor{.token = lane.lend(block.id),
                                          .segment = block.id.segment,
                                          .offset_units = block.id.unit,
                                          .bytes = static_cast<std::uint32_t>(bytes_)};
    std::memcpy(at + sizeof(shm::RecordHeader), &descriptor, sizeof(descriptor));
    lane.writer().commit();
    lane.writer().publish();
  }

  // False after the last.
  bool receive(Side& side, std::uint64_t number) {
    shm::Lane& lane = *servers_;
    shm::RecordView record;
    while (lane.reader().peek(record) != shm::RingReader::Next::kRecord) {
      if (lane.reader().violation() != nullptr) fail(lane.reader().violation());
      lane.reader().publish();
      pause_();
    }
    if (record.header.block_count != 1) fail("a record that tells of no block");
    shm::BlockDescriptor descriptor;
    std::memcpy(&descriptor, record.descriptors, sizeof(descriptor));
    std::span<const std::byte> payload;
    if (!lane.peer_arena().view(descriptor, payload) || payload.size() != bytes_) fail("a block that is none");
    const bool more = side.take(payload.data(), payload.size(), number);
    lane.peer_arena().end_view(descriptor.segment);
    lane.release(descriptor.token);
    lane.publish_releases();
    lane.reader().pop();
    return more;
  }

  const std::size_t bytes_;
  const Pause pause_;
  shm::Ref<shm::Lane> clients_;
  shm::Ref<shm::Lane> servers_;
};

}  // namespace

std::vector<Entry> block_entries() {
  return {{"blocks", "stream", {Mode::kAwake, Mode::kDefault}, make<Stream>, kPayloadBytesMax, false, 1}};
}

}  // namespace wharf::perf
