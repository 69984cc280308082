#include "wharf/tests/ipc/peers/logging.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

namespace wharf::test {

// Writes lines to the log that it was given last.
WHARF_PEER(logger) {
  runtime::UniqueFd log;
  while (auto message = co_await peer.port().receive()) {
    if (message->type() == kReopenLog) {
      log = message->take_fd(0);
      WANT(static_cast<bool>(log));
      continue;
    }
    const std::string line = message->to_string();
    // The file is shared: whoever writes, writes at its end.
    ::lseek(log.get(), 0, SEEK_END);
    WANT(::write(log.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    Status sent = co_await message->reply(ipc::Message("logged"));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
