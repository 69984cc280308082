#include "wharf/runtime/watch.h"

#include <utility>

#include "wharf/runtime/detail/abandonable.h"
#include "wharf/runtime/reactor.h"

namespace wharf::runtime {

class Watch::PollOperation final : public detail::Abandonable {
 public:
  PollOperation(Watch& watch, int file, std::uint32_t events) noexcept : watch_(watch) {
    opcode = Opcode::kPoll;
    multishot = true;
    fd = file;
    flags = events;
  }

 private:
  // The watch may close, or die, in on_ready(): it is called last.
  void on_result(std::int32_t result, bool more) noexcept override {
    Watch& watch = watch_;
    if (result < 0) {
      watch.close();
      watch.on_ready(POLLERR);
      return;
    }
    if (!more) start(watch.reactor());
    watch.on_ready(static_cast<std::uint32_t>(result));
  }

  Watch& watch_;
};

Watch::Watch(Reactor& reactor, int fd, unsigned poll_events)
    : reactor_(reactor), operation_(new PollOperation(*this, fd, poll_events)) {
  operation_->start(reactor);
}

void Watch::close() noexcept {
  if (operation_ != nullptr) std::exchange(operation_, nullptr)->abandon();
}

}  // namespace wharf::runtime
