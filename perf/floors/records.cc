// `records`: wharf's own ring of records, alone. Each message is copied in behind its header of 32 bytes, and the header is
// copied out and checked before the payload is; but there is no port: no message object, no coroutine, no turn, nobody who
// could sleep. Calls are numbered, found again by their number, and claimed, so that they could be taken back. What wharf
// takes more than this is the port's; what this takes more than `ring` is the format's.
#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <numeric>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/pause.h"
#include "wharf/shm/ring.h"

namespace wharf::perf {
namespace {

constexpr std::size_t kRingBytes = 16 * 1024;  // as a port has by default
constexpr std::size_t kRecordPayloadBytesMax = 1024;
constexpr std::size_t kBatchCells = 32;

// One side's control lines and ring, in memory that both share.
shm::ControlLines& make_lines() {
  void* memory = ::mmap(nullptr, shm::kRingOffset + kRingBytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return *::new (memory) shm::ControlLines{};
}

// What one side has of the two rings.
class Records {
 public:
  Records(shm::ControlLines& own, const shm::ControlLines& peer, const Pause& pause)
      : writer_(own, peer, kRingBytes), reader_(own, peer, kRingBytes, kRecordPayloadBytesMax), pause_(pause) {}

  // `flags` and `stream`: of a call's request or reply.
  void send(Side& side, std::size_t bytes, std::uint64_t number, std::uint8_t flags = 0, std::uint64_t stream = 0) {
    side.write(spare_.data(), bytes, number);
    std::byte* at = nullptr;
    while ((at = writer_.reserve(shm::record_cells(0, bytes))) == nullptr) {
      writer_.publish();
      pause_();
    }
    ::new (at) shm::RecordHeader{.kind = shm::RecordKind::kMessage,
                                 .flags = flags,
                                 .inline_bytes = static_cast<std::uint16_t>(bytes),
                                 .stream = stream};
    std::memcpy(at + sizeof(shm::RecordHeader), spare_.data(), bytes);
    writer_.commit();
    if (writer_.unpublished_cells() >= kBatchCells) writer_.publish();
  }
  void publish() { writer_.publish(); }

  const std::byte* receive() {
    const std::byte* payload = nullptr;
    while ((payload = try_receive()) == nullptr) pause_();
    return payload;
  }
  // The next payload, and whose it is; null if there is none now.
  const std::byte* try_receive() {
    shm::RecordView record;
    if (reader_.peek(record) != shm::RingReader::Next::kRecord) {
      if (reader_.violation() != nullptr) fail(reader_.violation());
      reader_.publish();
      return nullptr;
    }
    if ((record.header.flags & shm::kFlagRequest) != 0 && reader_.claim_retracted()) fail("a request was taken back");
    stream_ = record.header.stream;
    std::memcpy(received_.data(), record.inline_bytes, record.header.inline_bytes);
    reader_.pop();
    if (reader_.unpublished_cells() >= kBatchCells) reader_.publish();
    return received_.data();
  }
  std::uint64_t stream() const noexcept { return stream_; }

 private:
  std::uint64_t stream_ = 0;  // of what came last
  shm::RingWriter writer_;
  shm::RingReader reader_;
  const Pause& pause_;
  std::array<std::byte, kRecordPayloadBytesMax> spare_;
  std::array<std::byte, kRecordPayloadBytesMax> received_;
};

class RecordDuel : public Duel {
 public:
  explicit RecordDuel(const Load& load)
      : load_(load), pause_(load), clients_(make_lines()), servers_(make_lines()) {}

 protected:
  Records client_records() { return {clients_, servers_, pause_}; }
  Records server_records() { return {servers_, clients_, pause_}; }

  void pause() const { pause_(); }

  const Load load_;

 private:
  const Pause pause_;
  shm::ControlLines& clients_;
  shm::ControlLines& servers_;
};

class RoundTrip final : public RecordDuel {
 public:
  using RecordDuel::RecordDuel;

  void client(Side& side) override {
    Records records = client_records();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      records.send(side, load_.payload_bytes, number);
      records.publish();
      side.check(records.receive(), load_.payload_bytes, number);
    }
    records.send(side, load_.payload_bytes, kLastNumber);
    records.publish();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Records records = server_records();
    side.ready();
    for (std::uint64_t number = 1; side.take(records.receive(), load_.payload_bytes, number); ++number) {
      records.send(side, load_.payload_bytes, number);
      records.publish();
    }
    side.finish();
  }
};

class Stream final : public RecordDuel {
 public:
  using RecordDuel::RecordDuel;

  void client(Side& side) override {
    Records records = client_records();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) records.send(side, load_.payload_bytes, number);
    records.send(side, load_.payload_bytes, kLastNumber);
    records.publish();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Records records = server_records();
    side.ready();
    for (std::uint64_t number = 1; side.take(records.receive(), load_.payload_bytes, number); ++number) {
    }
    side.finish();
  }
};

// Keeps `count` numbered calls under way. Whose a reply is, a table tells.
class Calls final : public RecordDuel {
 public:
  using RecordDuel::RecordDuel;

  void client(Side& side) override {
    Records records = client_records();
    std::vector<std::uint64_t> numbers(load_.count);  // of the calls under way, by their streams
    std::vector<std::uint64_t> free(load_.count);
    std::iota(free.begin(), free.end(), 1);
    std::uint64_t sent = 0;
    const auto receive_all = [&] {
      while (const std::byte* reply = records.try_receive()) {
        const std::uint64_t stream = records.stream();
        if (stream == 0 || stream > numbers.size()) fail("a reply to nobody");
        side.check(reply, load_.payload_bytes, numbers[stream - 1]);
        free.push_back(stream);
      }
    };
    side.ready();
    while (side.more()) {
      while (!free.empty()) {
        const std::uint64_t stream = free.back();
        free.pop_back();
        numbers[stream - 1] = ++sent;
        records.send(side, load_.payload_bytes, sent, shm::kFlagRequest, stream);
      }
      records.publish();
      receive_all();
      if (free.empty()) pause();
    }
    while (free.size() < load_.count) receive_all();
    records.send(side, load_.payload_bytes, kLastNumber);
    records.publish();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Records records = server_records();
    side.ready();
    for (std::uint64_t number = 1;; ++number) {
      const std::byte* request = records.try_receive();
      if (request == nullptr) {
        records.publish();
        request = records.receive();
      }
      if (!side.take(request, load_.payload_bytes, number)) break;
      records.send(side, load_.payload_bytes, number, shm::kFlagReply, records.stream());
    }
    side.finish();
  }
};

}  // namespace

std::vector<Entry> record_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kDefault};
  return {
      {"records", "round_trip", modes, make<RoundTrip>, kRecordPayloadBytesMax, false, 2},
      {"records", "stream", modes, make<Stream>, kRecordPayloadBytesMax, false, 1},
      {"records", "calls", modes, make<Calls>, kRecordPayloadBytesMax, false, 2},
  };
}

}  // namespace wharf::perf
