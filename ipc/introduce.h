// introduce(): gives the peers of two ports a link of their own. From then on they talk directly, also when the process
// that introduced them has gone.
//
//     Status met = co_await ipc::introduce(*front, *store, kMeet, "front and store");
//
//     // in either of the two:
//     if (message->type() == kMeet) {
//       auto end = message->take_port(0);
//       if (!end.ok()) co_return end.status();               // not what it should carry
//       auto port = co_await ipc::Port::open(*std::move(end));
//     }
//
// Threads: the reactor's.
#pragma once

#include <cstdint>
#include <string>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/base/status.h"

namespace wharf::ipc {

// Sends each peer a message of `type` with `payload` and one end of a new link, to `a` first. Each opens its end in its
// own time, with limits of its own, and trusts the other no more than a stranger.
//
// Errors: those of Port::end_pair() and Port::send(). If only `a` was told, it finds its end closed when it opens it.
// Cancel: honoured between the two messages, and while one waits: as an error.
coro::Task<Status> introduce(Port& a, Port& b, std::uint32_t type, std::string payload = {}, WaitOptions options = {});

}  // namespace wharf::ipc
