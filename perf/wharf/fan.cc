// Many processes on one: `count` servers, each with a link of its own to the client, which has a task for each.
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

// The client's side: `work` at each of its ports, all on one reactor.
struct Client {
  Side& side;
  std::size_t bytes;
  bool is_more = true;

  // As Side::more(); once false, false to every task.
  bool more() noexcept { return is_more = is_more && side.more(); }
};

coro::Task<void> at_each(Ports& ports, Client& client, coro::Task<void> (*work)(Client*, ipc::Port*)) {
  coro::Scope scope;
  for (auto& port : ports) scope.spawn(work, &client, port.get());
  co_await scope.join();
}

std::vector<Joined> to_each(unsigned servers) {
  std::vector<Joined> links;
  for (unsigned i = 1; i <= servers; ++i) links.emplace_back(0, i);
  return links;
}

class FanIn final : public WharfDuel {
 public:
  explicit FanIn(const Load& load) : WharfDuel(load, to_each(load.count)) {}

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override {
    Client client{side, load_.payload_bytes};
    co_await at_each(ports, client, &receive_all);
  }

  static coro::Task<void> receive_all(Client* client, ipc::Port* port) {
    for (std::uint64_t number = 1;; ++number) {
      client->more();  // the servers look at over()
      auto message = co_await port->receive();
      if (!message) fail_with(port->status());
      if (!take(client->side, *message, client->bytes, number)) co_return;
    }
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    ipc::Port& port = *ports[0];
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    bool last = false;
    for (std::uint64_t number = 1; !last; ++number) {
      last = side.over();
      if (last) number = kLastNumber;
      if (Spare::holds(bytes)) {
        check(co_await port.send(spare.write(side, bytes, number)));
      } else {
        co_await send_large(side, port, bytes, number);
      }
    }
  }
};

class FanOut final : public WharfDuel {
 public:
  explicit FanOut(const Load& load) : WharfDuel(load, to_each(load.count)) {}

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override {
    Client client{side, load_.payload_bytes};
    co_await at_each(ports, client, &ask);
  }

  static coro::Task<void> ask(Client* client, ipc::Port* port) {
    Spare spare;
    for (std::uint64_t number = 1; client->more(); ++number) {
      check(co_await port->send(spare.write(client->side, client->bytes, number)));
      auto reply = co_await port->receive();
      if (!reply) fail_with(port->status());
      check(client->side, *reply, client->bytes, number);
    }
    check(co_await port->send(spare.write(client->side, client->bytes, kLastNumber)));
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    return answer(side, *ports[0], load_.payload_bytes);
  }
};

}  // namespace

std::vector<Entry> fan_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {
      {"wharf", "fan_in", modes, make<FanIn>, std::size_t{1} << 20, true, 1},
      {"wharf", "fan_out", modes, make<FanOut>, 1024, true, 2},
  };
}

}  // namespace wharf::perf
