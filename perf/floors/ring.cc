// `ring`: the bare ring polled, both sides awake. On one core a side that finds nothing gives the core up.
#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/bare_ring.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/pause.h"

namespace wharf::perf {
namespace {

class RingDuel : public Duel {
 public:
  explicit RingDuel(const Load& load)
      : load_(load),
        pause_(load),
        requests_(ring_bytes(load), load.payload_bytes),
        replies_(ring_bytes(load), load.payload_bytes) {}

 protected:
  void send(Side& side, BareRing& ring, std::uint64_t number) {
    std::byte* payload = nullptr;
    while ((payload = ring.reserve()) == nullptr) pause_();
    side.write(payload, load_.payload_bytes, number);
    ring.commit(load_.payload_bytes);
  }
  const std::byte* next(BareRing& ring) {
    std::size_t bytes = 0;
    const std::byte* payload = nullptr;
    while ((payload = ring.peek(bytes)) == nullptr) pause_();
    return payload;
  }

  const Load load_;
  const Pause pause_;
  BareRing requests_;
  BareRing replies_;
};

class RoundTrip final : public RingDuel {
 public:
  using RingDuel::RingDuel;

  void client(Side& side) override {
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      send(side, requests_, number);
      requests_.publish();
      side.check(next(replies_), load_.payload_bytes, number);
      replies_.pop();
    }
    send(side, requests_, kLastNumber);
    requests_.publish();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    for (std::uint64_t number = 1; side.take(next(requests_), load_.payload_bytes, number); ++number) {
      requests_.pop();
      send(side, replies_, number);
      replies_.publish();
    }
    side.finish();
  }
};

class Stream final : public RingDuel {
 public:
  using RingDuel::RingDuel;

  void client(Side& side) override {
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) send(side, requests_, number);
    send(side, requests_, kLastNumber);
    requests_.publish();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    for (std::uint64_t number = 1; side.take(next(requests_), load_.payload_bytes, number); ++number) {
      requests_.pop();
    }
    side.finish();
  }
};

// Keeps `count` requests under way; the replies come in their order.
class Calls final : public RingDuel {
 public:
  using RingDuel::RingDuel;

  void client(Side& side) override {
    side.ready();
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::size_t bytes = 0;
    const auto receive_all = [&] {
      while (const std::byte* reply = replies_.peek(bytes)) {
        side.check(reply, bytes, ++received);
        replies_.pop();
      }
    };
    while (side.more()) {
      while (sent - received < load_.count) send(side, requests_, ++sent);
      requests_.publish();
      receive_all();
      if (sent - received == load_.count) pause_();
    }
    while (received < sent) receive_all();
    send(side, requests_, kLastNumber);
    requests_.publish();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    side.ready();
    std::size_t bytes = 0;
    for (std::uint64_t number = 1;; ++number) {
      const std::byte* request = requests_.peek(bytes);
      if (request == nullptr) {
        replies_.publish();
        request = next(requests_);
      }
      if (!side.take(request, bytes, number)) break;
      requests_.pop();
      send(side, replies_, number);
    }
    replies_.publish();
    side.finish();
  }
};

}  // namespace

std::vector<Entry> ring_entries() {
  return {
      {"ring", "round_trip", {Mode::kAwake}, make<RoundTrip>, kPayloadBytesMax, false, 2},
      {"ring", "stream", {Mode::kAwake}, make<Stream>, kPayloadBytesMax, false, 1},
      {"ring", "calls", {Mode::kAwake}, make<Calls>, 1024, false, 2},
  };
}

}  // namespace wharf::perf
