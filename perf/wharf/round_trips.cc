#include "wharf/perf/wharf/round_trips.h"

#include <cstdint>

#include "wharf/perf/wharf/messages.h"

namespace wharf::perf {

coro::Task<void> ask(Side& side, ipc::Port& port, std::size_t bytes) {
  Spare spare;
  for (std::uint64_t number = 1;; ++number) {
    const bool last = !side.more();
    if (last) number = kLastNumber;
    if (Spare::holds(bytes)) {
      check(co_await port.send(spare.write(side, bytes, number)));
    } else {
      co_await send_large(side, port, bytes, number);
    }
    if (last) co_return;
    auto reply = co_await port.receive();
    if (!reply) fail_with(port.status());
    check(side, *reply, bytes, number);
  }
}

coro::Task<void> answer(Side& side, ipc::Port& port, std::size_t bytes) {
  Spare spare;
  for (std::uint64_t number = 1;; ++number) {
    {
      auto request = co_await port.receive();
      if (!request) fail_with(port.status());
      if (!take(side, *request, bytes, number)) co_return;
    }
    if (Spare::holds(bytes)) {
      check(co_await port.send(spare.write(side, bytes, number)));
    } else {
      co_await send_large(side, port, bytes, number);
    }
  }
}

}  // namespace wharf::perf
