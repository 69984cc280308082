// `records` with both sides polling, each without a pause for the other's sleep. Calls are numbered, found again by their
// number, and claimed, so that they could be taken back.
#include "wharf/perf/floors/records.h"

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/floors.h"

namespace wharf::perf {
namespace {

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
