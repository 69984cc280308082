// `records_eventfd`: the ring of records, and the bells of `ring_eventfd`. What wharf takes more, asleep, is the port's.
#include <cstddef>
#include <cstdint>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/bell.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/records.h"

namespace wharf::perf {
namespace {

class RoundTripAsleep final : public RecordDuel {
 public:
  using RecordDuel::RecordDuel;

  void client(Side& side) override {
    Records records = client_records();
    client_bell_.open();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      send(side, records, server_bell_, number);
      side.check(receive(records, client_bell_), load_.payload_bytes, number);
    }
    send(side, records, server_bell_, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    Records records = server_records();
    server_bell_.open();
    side.ready();
    for (std::uint64_t number = 1; side.take(receive(records, server_bell_), load_.payload_bytes, number); ++number) {
      send(side, records, client_bell_, number);
    }
    side.finish();
  }

 private:
  void send(Side& side, Records& records, Bell& bell, std::uint64_t number) {
    records.send(side, load_.payload_bytes, number);
    records.publish();
    bell.ring_if_asleep();
  }
  static const std::byte* receive(Records& records, Bell& bell) {
    const std::byte* payload = nullptr;
    bell.sleep_until([&] { return (payload = records.try_receive()) != nullptr; });
    return payload;
  }

  Bell client_bell_;
  Bell server_bell_;
};

}  // namespace

std::vector<Entry> record_asleep_entries() {
  return {{"records_eventfd", "round_trip", {Mode::kAsleep}, make<RoundTripAsleep>, kRecordPayloadBytesMax, false, 2}};
}

}  // namespace wharf::perf
