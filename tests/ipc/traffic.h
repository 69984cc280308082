// Traffic of every kind in a random order that both sides know: small and large payload, with descriptors and without.
//
// Threads: the port's reactor.
#pragma once

#include <cstdint>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"

namespace wharf::test {

coro::Task<Status> send_in_order(ipc::Port& port, std::uint64_t count, std::uint64_t seed);
// Internal: what came is not what send_in_order sends at that place.
coro::Task<Status> receive_in_order(ipc::Port& port, std::uint64_t count, std::uint64_t seed);

}  // namespace wharf::test
