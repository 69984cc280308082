// Calls of a small message beside bulk transfer on the same link: two tasks, one port.
#include <cstddef>
#include <cstdint>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/perf/wharf/messages.h"
#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"

namespace wharf::perf {
namespace {

constexpr std::size_t kBulkBytes = 256 * 1024;
constexpr std::uint32_t kBulk = 1;  // the type of a message that is not answered

class BesideBulk final : public WharfDuel {
 public:
  using WharfDuel::WharfDuel;

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override {
    bool more = true;
    coro::Scope scope;
    scope.spawn(&stream, ports[0].get(), &more);
    co_await call_on(side, *ports[0], load_.payload_bytes);
    more = false;
    co_await scope.join();
    Spare spare;
    check(co_await ports[0]->send(spare.write(side, load_.payload_bytes, kLastNumber)));
  }

  static coro::Task<void> call_on(Side& side, ipc::Port& port, std::size_t bytes) {
    Spare spare;
    for (std::uint64_t number = 1; side.more(); ++number) {
      auto reply = co_await port.call(spare.write(side, bytes, number));
      check(reply.status());
      check(side, *reply, bytes, number);
    }
  }

  // What streams is written and read like all payload, but is no operation: the side does not count it.
  static coro::Task<void> stream(ipc::Port* port, const bool* more) {
    for (std::uint64_t number = 1; *more; ++number) {
      auto loan = co_await port->loan(kBulkBytes);
      check(loan.status());
      write_payload(loan->data(), kBulkBytes, number);
      check(co_await port->send(ipc::Message(kBulk, *std::move(loan))));
    }
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    ipc::Port& port = *ports[0];
    Spare spare;
    const std::size_t bytes = load_.payload_bytes;
    std::uint64_t bulk_number = 0;
    for (std::uint64_t number = 1;;) {
      auto message = co_await port.receive();
      if (!message) fail_with(port.status());
      if (message->type() == kBulk) {
        const auto payload = payload_of(*message);
        if (payload.size() != kBulkBytes || !check_payload(payload.data(), payload.size(), ++bulk_number)) {
          fail_with(absl::DataLossError("a bulk message is lost or damaged"));
        }
        continue;
      }
      if (!take(side, *message, bytes, number)) co_return;
      check(co_await message->reply(spare.write(side, bytes, number)));
      ++number;
    }
  }
};

}  // namespace

std::vector<Entry> bulk_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {{"wharf", "beside_bulk", modes, make<BesideBulk>, 1024, false, 2}};
}

}  // namespace wharf::perf
