// `ring`, from and to many: one bare ring for each server, which the client polls in turn.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "wharf/perf/contest/contest.h"
#include "wharf/perf/floors/bare_ring.h"
#include "wharf/perf/floors/floors.h"
#include "wharf/perf/floors/pause.h"

namespace wharf::perf {
namespace {

// Before it looks at the next ring.
constexpr unsigned kTurnMessages = 32;

class FanDuel : public Duel {
 public:
  explicit FanDuel(const Load& load)
      : load_(load), client_pause_(load), server_pause_(load, load.count > 1), rings_(load.count) {
    for (Rings& rings : rings_) {
      rings.to_client = std::make_unique<BareRing>(ring_bytes(load), load.payload_bytes);
      if (load.what == "fan_out") rings.to_server = std::make_unique<BareRing>(ring_bytes(load), load.payload_bytes);
    }
  }

 protected:
  struct Rings {
    std::unique_ptr<BareRing> to_client;
    std::unique_ptr<BareRing> to_server;
    std::uint64_t number = 0;  // of the client's latest message, there or back
    bool done = false;
  };

  void send(Side& side, const Pause& pause, BareRing& ring, std::uint64_t number) const {
    std::byte* payload = nullptr;
    while ((payload = ring.reserve()) == nullptr) pause();
    side.write(payload, load_.payload_bytes, number);
    ring.commit(load_.payload_bytes);
  }

  const Load load_;
  const Pause client_pause_;
  const Pause server_pause_;
  std::vector<Rings> rings_;
};

class FanIn final : public FanDuel {
 public:
  using FanDuel::FanDuel;

  void client(Side& side) override {
    side.ready();
    bool more = true;
    for (std::size_t live = rings_.size(); live != 0;) {
      bool idle = true;
      for (Rings& rings : rings_) {
        more = more && side.more();  // the servers look at over()
        if (rings.done) continue;
        std::size_t bytes = 0;
        for (unsigned i = 0; i < kTurnMessages && !rings.done; ++i) {
          const std::byte* payload = rings.to_client->peek(bytes);
          if (payload == nullptr) break;
          idle = false;
          rings.done = !side.take(payload, bytes, ++rings.number);
          rings.to_client->pop();
        }
        if (rings.done) --live;
      }
      if (idle) client_pause_();
    }
    side.finish();
  }

  void server(Side& side, unsigned index) override {
    BareRing& ring = *rings_[index].to_client;
    side.ready();
    for (std::uint64_t number = 1; !side.over(); ++number) send(side, server_pause_, ring, number);
    send(side, server_pause_, ring, kLastNumber);
    ring.publish();
    side.finish();
  }
};

class FanOut final : public FanDuel {
 public:
  using FanDuel::FanDuel;

  void client(Side& side) override {
    side.ready();
    bool more = true;
    for (Rings& rings : rings_) ask(side, rings, ++rings.number);
    for (std::size_t live = rings_.size(); live != 0;) {
      bool idle = true;
      for (Rings& rings : rings_) {
        std::size_t bytes = 0;
        const std::byte* reply = rings.done ? nullptr : rings.to_client->peek(bytes);
        if (reply == nullptr) continue;
        idle = false;
        side.check(reply, bytes, rings.number);
        rings.to_client->pop();
        more = more && side.more();
        rings.done = !more;
        if (rings.done) --live;
        ask(side, rings, more ? ++rings.number : kLastNumber);
      }
      if (idle) client_pause_();
    }
    side.finish();
  }

  void server(Side& side, unsigned index) override {
    Rings& rings = rings_[index];
    side.ready();
    std::size_t bytes = 0;
    for (std::uint64_t number = 1;; ++number) {
      const std::byte* request = nullptr;
      while ((request = rings.to_server->peek(bytes)) == nullptr) server_pause_();
      if (!side.take(request, bytes, number)) break;
      rings.to_server->pop();
      send(side, server_pause_, *rings.to_client, number);
      rings.to_client->publish();
    }
    side.finish();
  }

 private:
  void ask(Side& side, Rings& rings, std::uint64_t number) const {
    send(side, client_pause_, *rings.to_server, number);
    rings.to_server->publish();
  }
};

}  // namespace

std::vector<Entry> ring_fan_entries() {
  return {
      {"ring", "fan_in", {Mode::kAwake}, make<FanIn>, kPayloadBytesMax, true, 1},
      {"ring", "fan_out", {Mode::kAwake}, make<FanOut>, 1024, true, 2},
  };
}

}  // namespace wharf::perf
