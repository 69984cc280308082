#include "wharf/ipc/introduce.h"

#include <utility>

namespace wharf::ipc {
namespace {

coro::Task<Status> hand_over(Port& port, std::uint32_t type, std::string payload, PortEnd end, WaitOptions options) {
  Message message(type, payload);
  message.attach(std::move(end));
  Status sent = co_await port.send(std::move(message), options);
  co_return sent;
}

}  // namespace

coro::Task<Status> introduce(Port& a, Port& b, std::uint32_t type, std::string payload, WaitOptions options) {
  auto ends = Port::end_pair();
  if (!ends.ok()) co_return ends.status();
  Status told = co_await hand_over(a, type, payload, std::move(ends->first), options);
  if (!told.ok()) co_return told;
  told = co_await hand_over(b, type, payload, std::move(ends->second), options);
  co_return told;
}

}  // namespace wharf::ipc
