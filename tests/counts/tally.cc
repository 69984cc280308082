#include "wharf/tests/counts/tally.h"

#include <cinttypes>
#include <cstdio>

#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/steady/allocations.h"

namespace wharf::test {
namespace {

struct Field {
  const char* name;
  std::uint64_t Tally::* value;
};
constexpr Field kFields[] = {
    {"sent", &Tally::sent},
    {"received", &Tally::received},
    {"allocations", &Tally::allocations},
    {"system_calls", &Tally::system_calls},
    {"enters", &Tally::enters},
    {"turns", &Tally::turns},
    {"rings", &Tally::rings},
    {"wakes", &Tally::wakes},
    {"sleeps", &Tally::sleeps},
};

}  // namespace

Tally tally_now(const ipc::PortCounters& port) noexcept {
  const runtime::ReactorCounters reactor = runtime::Reactor::current().counters();
  return {
      .sent = port.messages_sent,
      .received = port.messages_received,
      .allocations = allocation_count(),
      .system_calls = runtime::sys::counters().total,
      .enters = reactor.enters,
      .turns = reactor.turns,
      .rings = port.doorbells_rung,
      .wakes = port.wakes,
      .sleeps = reactor.sleeps,
  };
}

Tally operator-(const Tally& late, const Tally& early) noexcept {
  Tally difference;
  for (const Field& field : kFields) difference.*field.value = late.*field.value - early.*field.value;
  return difference;
}

void print(const char* name, const Tally& tally, std::int64_t seen) {
  std::printf("\"%s\": {", name);
  for (const Field& field : kFields) std::printf("\"%s\": %" PRIu64 ", ", field.name, tally.*field.value);
  if (seen < 0) {
    std::printf("\"system_calls_seen\": null}");
  } else {
    std::printf("\"system_calls_seen\": %" PRId64 "}", seen);
  }
}

}  // namespace wharf::test
