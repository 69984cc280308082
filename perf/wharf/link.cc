// One link: round trips and streams.
#include <cstddef>
#include <cstdint>

#include "wharf/perf/wharf/messages.h"
#include "wharf/perf/wharf/round_trips.h"
#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

class RoundTrip final : public WharfDuel {
 public:
  using WharfDuel::WharfDuel;

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override { return ask(side, *ports[0], load_.payload_bytes); }
  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    return answer(side, *ports[0], load_.payload_bytes);
  }
};

class Stream final : public WharfDuel {
 public:
  using WharfDuel::WharfDuel;

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override {
    ipc::Port& port = *ports[0];
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    for (std::uint64_t number = 1;; ++number) {
      const bool last = !side.more();
      if (last) number = kLastNumber;
      if (Spare::holds(bytes)) {
        check(co_await port.send(spare.write(side, bytes, number)));
      } else {
        auto loan = co_await port.loan(bytes);  // no task of its own, as send_large() is
        check(loan.status());
        side.write(loan->data(), bytes, number);
        check(co_await port.send(ipc::Message(*std::move(loan))));
      }
      if (last) co_return;
    }
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    ipc::Port& port = *ports[0];
    for (std::uint64_t number = 1;; ++number) {
      auto message = co_await port.receive();
      if (!message) fail_with(port.status());
      if (!take(side, *message, load_.payload_bytes, number)) co_return;
    }
  }
};

}  // namespace

std::vector<Entry> link_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {
      {"wharf", "round_trip", modes, make<RoundTrip>, std::size_t{1} << 20, false, 2},
      {"wharf", "stream", modes, make<Stream>, std::size_t{1} << 20, false, 1},
  };
}

}  // namespace wharf::perf
