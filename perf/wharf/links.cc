// Round trips beside others: on one link of many, which rest, and in one pair of processes of many, which do the same.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "wharf/coro/scope.h"
#include "wharf/perf/wharf/messages.h"
#include "wharf/perf/wharf/round_trips.h"
#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

// One there and back.
coro::Task<void> exchange(Side& side, ipc::Port& port, std::size_t bytes, std::uint64_t number) {
  Spare spare;
  check(co_await port.send(spare.write(side, bytes, number)));
  auto reply = co_await port.receive();
  if (!reply) fail_with(port.status());
  check(side, *reply, bytes, number);
}

class Links final : public WharfDuel {
 public:
  explicit Links(const Load& load) : WharfDuel(load, std::vector<Joined>(load.count, Joined(0, 1))) {}

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override {
    for (std::size_t i = 1; i < ports.size(); ++i) co_await exchange(side, *ports[i], load_.payload_bytes, 1);
    co_await ask(side, *ports[0], load_.payload_bytes);
    Spare spare;
    for (std::size_t i = 1; i < ports.size(); ++i) {
      check(co_await ports[i]->send(spare.write(side, load_.payload_bytes, kLastNumber)));
    }
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    coro::Scope scope;
    for (auto& port : ports) scope.spawn(answer(side, *port, load_.payload_bytes));
    co_await scope.join();
  }
};

// Pairs of processes: the client and server 0, servers 1 and 2, and so on.
class Crowd final : public WharfDuel {
 public:
  explicit Crowd(const Load& load) : WharfDuel(load, pairs(load.count)) {}

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override { return ask(side, *ports[0], load_.payload_bytes); }
  coro::Task<void> run_server(Side& side, Ports& ports, unsigned index) override {
    return index % 2 == 1 ? ask(side, *ports[0], load_.payload_bytes) : answer(side, *ports[0], load_.payload_bytes);
  }

  static std::vector<Joined> pairs(unsigned count) {
    std::vector<Joined> all;
    for (unsigned i = 0; i < count; ++i) all.emplace_back(2 * i, 2 * i + 1);
    return all;
  }
};

}  // namespace

std::vector<Entry> links_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {
      {"wharf", "links", modes, make<Links>, 1024, false, 2},
      {"wharf", "crowd", {Mode::kAsleep, Mode::kDefault}, make<Crowd>, 1024, false, 2, true},
  };
}

}  // namespace wharf::perf
