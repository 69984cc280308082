// `records`: wharf's own ring of records, alone. Each message is copied in behind its header of 32 bytes, and the header is
// copied out and checked before the payload is; but there is no port: no message object, no call, no coroutine, no turn,
// nobody who could sleep. What wharf takes more than this is the port's; what this takes more than `ring` is the format's.
#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

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

  void send(Side& side, std::size_t bytes, std::uint64_t number) {
    side.write(spare_.data(), bytes, number);
    std::byte* at = nullptr;
    while ((at = writer_.reserve(shm::record_cells(0, bytes))) == nullptr) {
      writer_.publish();
      pause_();
    }
    ::new (at) shm::RecordHeader{.kind = shm::RecordKind::kMessage, .inline_bytes = static_cast<std::uint16_t>(bytes)};
    std::memcpy(at + sizeof(shm::RecordHeader), spare_.data(), bytes);
    writer_.commit();
    if (writer_.unpublished_cells() >= kBatchCells) writer_.publish();
  }
  void publish() { writer_.publish(); }

  const std::byte* receive() {
    shm::RecordView record;
    while (reader_.peek(record) != shm::RingReader::Next::kRecord) {
      if (reader_.violation() != nullptr) fail(reader_.violation());
      reader_.publish();
      pause_();
    }
    std::memcpy(received_.data(), record.inline_bytes, record.header.inline_bytes);
    reader_.pop();
    if (reader_.unpublished_cells() >= kBatchCells) reader_.publish();
    return received_.data();
  }

 private:
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

}  // namespace

std::vector<Entry> record_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kDefault};
  return {
      {"records", "round_trip", modes, make<RoundTrip>, kRecordPayloadBytesMax, false, 2},
      {"records", "stream", modes, make<Stream>, kRecordPayloadBytesMax, false, 1},
  };
}

}  // namespace wharf::perf
