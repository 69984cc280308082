// Messages with a descriptor each. The message takes what is attached, so the client attaches a duplicate.
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "wharf/perf/wharf/messages.h"
#include "wharf/perf/wharf/wharf.h"
#include "wharf/perf/wharf/wharf_duel.h"
#include "wharf/runtime/base/unique_fd.h"

namespace wharf::perf {
namespace {

class Fd final : public WharfDuel {
 public:
  explicit Fd(const Load& load)
      : WharfDuel(load), file_(check(::open("/dev/null", O_RDWR | O_CLOEXEC), "open /dev/null")) {}

 private:
  coro::Task<void> run_client(Side& side, Ports& ports) override {
    ipc::Port& port = *ports[0];
    Spare spare;
    for (std::uint64_t number = 1;; ++number) {
      const bool last = !side.more();
      if (last) number = kLastNumber;
      ipc::Message message = spare.write(side, load_.payload_bytes, number);
      message.attach(runtime::UniqueFd(check(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0), "fcntl")));
      check(co_await port.send(std::move(message)));
      if (last) co_return;
    }
  }

  coro::Task<void> run_server(Side& side, Ports& ports, unsigned) override {
    ipc::Port& port = *ports[0];
    for (std::uint64_t number = 1;; ++number) {
      auto message = co_await port.receive();
      if (!message) fail_with(port.status());
      if (message->fd_count() != 1) fail_with(absl::InternalError("a message without its descriptor"));
      if (!take(side, *message, load_.payload_bytes, number)) co_return;
    }
  }

  const runtime::UniqueFd file_;
};

}  // namespace

std::vector<Entry> fd_entries() {
  const std::vector<Mode> modes{Mode::kAwake, Mode::kAsleep, Mode::kDefault};
  return {{"wharf", "fd", modes, make<Fd>, 1024, false, 1}};
}

}  // namespace wharf::perf
