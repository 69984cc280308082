// Peers that connect under a name: it comes as a message of the test's, on the link that they have anyway.
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "wharf/ipc/connector.h"
#include "wharf/ipc/detail/socket_name.h"
#include "wharf/ipc/listener.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

namespace wharf::test {

// Connects, and asks the server for as many answers as `argument` says.
WHARF_PEER(visit) {
  auto name = co_await peer.port().receive();
  WANT(name.has_value());
  auto port = co_await ipc::connect_port(name->to_string(), peer.setup().port);
  WANT_OK(port.status());
  for (std::uint64_t i = 0; i < peer.argument(); ++i) {
    const std::string question = pattern(i * 100, i);
    auto answer = co_await (*port)->call(ipc::Message(question));
    WANT_OK(answer.status());
    WANT(answer->to_string() == question);
  }
  co_return absl::OkStatus();
}

// Connects, and says nothing until the test ends.
WHARF_PEER(visit_silently) {
  auto text = co_await peer.port().receive();
  WANT(text.has_value());
  auto name = ipc::detail::SocketName::parse(text->to_string());
  WANT_OK(name.status());
  const runtime::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  WANT(::connect(socket.get(), name->address(), name->address_bytes()) == 0);
  peer.cue();
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  co_return absl::OkStatus();
}

// Listens, tells the test so, and serves nobody.
WHARF_PEER(listen_and_wait) {
  auto name = co_await peer.port().receive();
  WANT(name.has_value());
  auto listener = ipc::PortListener::listen(name->to_string());
  WANT_OK(listener.status());
  peer.cue();
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  co_return absl::OkStatus();
}

}  // namespace wharf::test
