// `ring_eventfd`: the bare ring, and an eventfd awaited in io_uring each way. Whoever finds nothing to do sleeps at once; one
// who sleeps is rung for. A stream rings when half of the ring has changed hands, so that each wake-up is for many.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/bare_ring.h"
#include "wharf/perf/floors/bell.h"
#include "wharf/perf/floors/floors.h"

namespace wharf::perf {
namespace {

class BelledDuel : public Duel {
 public:
  explicit BelledDuel(const Load& load) : BelledDuel(load, ring_bytes(load)) {}
  BelledDuel(const Load& load, std::size_t bytes)
      : load_(load), requests_(bytes, load.payload_bytes), replies_(bytes, load.payload_bytes) {}

 protected:
  // Precondition: fewer messages are under way than the ring holds.
  void send(Side& side, BareRing& ring, std::uint64_t number) {
    side.write(ring.reserve(), load_.payload_bytes, number);
    ring.commit(load_.payload_bytes);
  }
  // The next message; sleeps at `bell` until there is one.
  const std::byte* next(BareRing& ring, Bell& bell) {
    std::size_t bytes = 0;
    const std::byte* payload = nullptr;
    bell.sleep_until([&] { return (payload = ring.peek(bytes)) != nullptr; });
    return payload;
  }

  const Load load_;
  BareRing requests_;
  BareRing replies_;
  Bell client_bell_;
  Bell server_bell_;
};

class RoundTrip final : public BelledDuel {
 public:
  using BelledDuel::BelledDuel;

  void client(Side& side) override {
    client_bell_.open();
    side.ready();
    for (std::uint64_t number = 1; side.more(); ++number) {
      post(side, requests_, server_bell_, number);
      side.check(next(replies_, client_bell_), load_.payload_bytes, number);
      replies_.pop();
    }
    post(side, requests_, server_bell_, kLastNumber);
    side.finish();
  }

  void server(Side& side, unsigned) override {
    server_bell_.open();
    side.ready();
    for (std::uint64_t number = 1; side.take(next(requests_, server_bell_), load_.payload_bytes, number); ++number) {
      requests_.pop();
      post(side, replies_, client_bell_, number);
    }
    side.finish();
  }

 private:
  void post(Side& side, BareRing& ring, Bell& bell, std::uint64_t number) {
    send(side, ring, number);
    ring.publish();
    bell.ring_if_asleep();
  }
};

class Stream final : public BelledDuel {
 public:
  explicit Stream(const Load& load) : BelledDuel(load, std::max(ring_bytes(load), kStreamRingBytes)) {}

  void client(Side& side) override {
    client_bell_.open();
    side.ready();
    std::uint64_t number = 1;
    for (; side.more(); ++number) send_one(side, number, number);
    send_one(side, kLastNumber, number);
    requests_.publish();
    server_bell_.ring_if_asleep();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    server_bell_.open();
    side.ready();
    const std::uint64_t half = requests_.slot_count() / 2;
    for (std::uint64_t number = 1;; ++number) {
      std::size_t bytes = 0;
      const std::byte* payload = requests_.peek(bytes);
      if (payload == nullptr) {
        client_bell_.ring_if_asleep();
        payload = next(requests_, server_bell_);
      }
      if (!side.take(payload, load_.payload_bytes, number)) break;
      requests_.pop();
      if (number % half != 0) continue;
      requests_.credit();
      client_bell_.ring_if_asleep();
    }
    side.finish();
  }

 private:
  // The larger, the fewer sleeps: with 64 KiB it is a tenth as fast.
  static constexpr std::size_t kStreamRingBytes = 512 * 1024;

  // `count`: of the messages so far, this one among them.
  void send_one(Side& side, std::uint64_t number, std::uint64_t count) {
    std::byte* payload = requests_.reserve();
    if (payload == nullptr) {
      server_bell_.ring_if_asleep();
      client_bell_.sleep_until([&] { return (payload = requests_.reserve()) != nullptr; });
    }
    side.write(payload, load_.payload_bytes, number);
    requests_.commit(load_.payload_bytes);
    if (count % (requests_.slot_count() / 2) != 0) return;
    requests_.publish();
    server_bell_.ring_if_asleep();
  }
};

// Keeps `count` requests under way; each side works off all that it finds before it rings for the other.
class Calls final : public BelledDuel {
 public:
  // The rings hold all requests at once, and what of them is read and not credited.
  explicit Calls(const Load& load)
      : BelledDuel(load, std::max(ring_bytes(load), 4 * load.count * (load.payload_bytes + 32))) {}

  void client(Side& side) override {
    client_bell_.open();
    side.ready();
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    const auto receive_some = [&] {
      std::size_t bytes = 0;
      for (const std::byte* reply = next(replies_, client_bell_); reply != nullptr; reply = replies_.peek(bytes)) {
        side.check(reply, load_.payload_bytes, ++received);
        replies_.pop();
      }
    };
    while (side.more()) {
      while (sent - received < load_.count) send(side, requests_, ++sent);
      requests_.publish();
      server_bell_.ring_if_asleep();
      receive_some();
    }
    while (received < sent) receive_some();
    send(side, requests_, kLastNumber);
    requests_.publish();
    server_bell_.ring_if_asleep();
    side.finish();
  }

  void server(Side& side, unsigned) override {
    server_bell_.open();
    side.ready();
    std::size_t bytes = 0;
    for (std::uint64_t number = 1;; ++number) {
      const std::byte* request = requests_.peek(bytes);
      if (request == nullptr) {
        replies_.publish();
        client_bell_.ring_if_asleep();
        request = next(requests_, server_bell_);
      }
      if (!side.take(request, load_.payload_bytes, number)) break;
      requests_.pop();
      send(side, replies_, number);
    }
    side.finish();
  }
};

}  // namespace

std::vector<Entry> ring_eventfd_entries() {
  return {
      {"ring_eventfd", "round_trip", {Mode::kAsleep}, make<RoundTrip>, kPayloadBytesMax, false, 2},
      {"ring_eventfd", "stream", {Mode::kAsleep}, make<Stream>, kPayloadBytesMax, false, 1},
      {"ring_eventfd", "calls", {Mode::kAsleep}, make<Calls>, 1024, false, 2},
  };
}

}  // namespace wharf::perf
