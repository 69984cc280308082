// Two programs that know a name alone: a server that counts words, and a client that asks it.
//
//     named serve /tmp/words.sock         # prints the name when it listens; kill it, and start it again
//     named ask /tmp/words.sock quay      # prints how often quay was asked for
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/coro/scope.h"
#include "wharf/ipc/connector.h"
#include "wharf/ipc/dispatcher.h"
#include "wharf/ipc/listener.h"
#include "wharf/runtime/run_main.h"

namespace {

using wharf::Status;
using wharf::coro::Task;
namespace ipc = wharf::ipc;

constexpr std::uint32_t kCount = 1;

using Counts = std::map<std::string, int>;

Task<void> count(Counts* counts, ipc::Message request) {
  const std::string answer = std::to_string(++(*counts)[request.to_string()]);
  Status sent = co_await request.reply(answer);
  static_cast<void>(sent);  // the client has gone
}

Task<void> serve_one(ipc::Dispatcher* dispatcher, ipc::Visitor visitor) {
  auto port = co_await visitor.open();
  if (port.ok()) co_await dispatcher->serve(**port);
}

Task<Status> serve(std::string name) {
  auto listener = ipc::PortListener::listen(name);
  if (!listener.ok()) co_return listener.status();
  std::puts(name.c_str());
  std::fflush(stdout);

  Counts counts;
  ipc::Dispatcher dispatcher;
  dispatcher.on(kCount, count, &counts);
  wharf::coro::Scope clients;
  auto visitor = co_await (*listener)->accept();
  while (visitor.ok()) {
    clients.spawn(serve_one, &dispatcher, *std::move(visitor));
    visitor = co_await (*listener)->accept();
  }
  clients.cancel();
  co_await clients.join();
  co_return visitor.status();
}

Task<Status> ask(std::string name, std::string word) {
  auto port = co_await ipc::connect_port(name);
  if (!port.ok()) co_return port.status();
  auto answer = co_await (*port)->call(ipc::Message(kCount, word));
  if (answer.ok()) std::puts(answer->to_string().c_str());
  co_return answer.status();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "serve" && argc == 3) return wharf::runtime::run_main(serve(argv[2]));
  if (command == "ask" && argc == 4) return wharf::runtime::run_main(ask(argv[2], argv[3]));
  std::fputs("usage: named serve NAME | named ask NAME WORD\n", stderr);
  return 2;
}
