// Calls on one link: `count` tasks, each of which makes one call after the other.
#include <cstddef>
#include <cstdint>

#include "wharf/coro/scope.h"
#include "wharf/perf/wharf/messages.h"
#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

class Calls final : public WharfDuel {
 public:
  using WharfDuel::WharfDuel;

 private:
  struct State {
    Side& side;
    ipc::Port& port;
    std::size_t bytes;
    std::uint64_t number = 0;  // of the latest request
    bool more = true;
  };

  coro::Task<void> run_client(Side& side, Ports& ports) override {
    State state{side, *ports[0], load_.payload_bytes};
    co_await coro::with_scope([&](coro::Scope& scope) -> coro::Task<void> {
      for (unsigned i = 0; i < load_.count; ++i) scope.spawn(&call_on, &state);
      co_return;
    });
    Spare spare;
    check(co_await state.port.send(spare.write(side, state.bytes, kLastNumber)));
  }

  static coro::Task<void> call_on(State* state) {
    Spare spare;
    while ((state->more = state->more && state->side.more())) {
      const std::uint64_t number = ++state->number;
      auto reply = co_await state->port.call(spare.write(state->side, state->bytes, number));
      check(reply.status());
      check(state->side, *reply, state->bytes, number);
    }
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    ipc::Port& port = *ports[0];
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    for (std::uint64_t number = 1;; ++number) {
      auto request = co_await port.receive();
      if (!request) fail_with(port.status());
      if (!take(side, *request, bytes, number)) co_return;
      check(co_await request->reply(spare.write(side, bytes, number)));
    }
  }
};

}  // namespace

std::vector<Entry> calls_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {{"wharf", "calls", modes, make<Calls>, 1024, false, 2}};
}

}  // namespace wharf::perf
