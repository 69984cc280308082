// `ring`, case `beside_bulk`: round trips of a small message on a ring that bulk messages keep full. While the client waits for
// its answer it writes bulk.
#include <cstddef>
#include <cstdint>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/bare_ring.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/pause.h"

namespace wharf::perf {
namespace {

constexpr std::size_t kBulkBytes = 256 * 1024;

class BesideBulk final : public Duel {
 public:
  explicit BesideBulk(const Load& load)
      : bytes_(load.payload_bytes),
        pause_(load),
        requests_(kLargeRingBytes, kBulkBytes),
        replies_(kSmallRingBytes, load.payload_bytes) {}

  void client(Side& side) override {
    side.ready();
    std::uint64_t bulk_number = 0;
    for (std::uint64_t number = 1; side.more(); ++number) {
      send(side, requests_, number);
      std::size_t bytes = 0;
      const std::byte* reply = nullptr;
      while ((reply = replies_.peek(bytes)) == nullptr) {
        if (!send_bulk(bulk_number + 1)) {
          pause_();
        } else {
          ++bulk_number;
        }
      }
      side.check(reply, bytes, number);
      replies_.pop();
    }
    send(side, requests_, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    std::uint64_t bulk_number = 0;
    for (std::uint64_t number = 1;;) {
      std::size_t bytes = 0;
      const std::byte* payload = nullptr;
      while ((payload = requests_.peek(bytes)) == nullptr) pause_();
      if (bytes == kBulkBytes) {
        if (!check_payload(payload, bytes, ++bulk_number)) fail("a bulk message is damaged");
        requests_.pop();
        continue;
      }
      if (!side.take(payload, bytes, number)) break;
      requests_.pop();
      send(side, replies_, number++);
    }
    side.finish();
  }

 private:
  void send(Side& side, BareRing& ring, std::uint64_t number) {
    std::byte* payload = nullptr;
    while ((payload = ring.reserve()) == nullptr) pause_();
    side.write(payload, bytes_, number);
    ring.commit(bytes_);
    ring.publish();
  }
  // False if there is no room. The side does not count it.
  bool send_bulk(std::uint64_t number) {
    std::byte* payload = requests_.reserve();
    if (payload == nullptr) return false;
    write_payload(payload, kBulkBytes, number);
    requests_.commit(kBulkBytes);
    requests_.publish();
    return true;
  }

  const std::size_t bytes_;
  const Pause pause_;
  BareRing requests_;
  BareRing replies_;
};

}  // namespace

std::vector<Entry> ring_bulk_entries() {
  return {{"ring", "beside_bulk", {Mode::kAwake}, make<BesideBulk>, 1024, false, 2}};
}

}  // namespace wharf::perf
