// Peers for a supervisor: workers of every kind, and a process that supervises one itself.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "wharf/ipc/supervisor.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"
#include "wharf/tests/ipc/raw_link.h"

namespace wharf::test {

// Serves until its link ends, takes its time, and leaves a file to tell of it.
WHARF_PEER(end_in_good_order) {
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  ::usleep(20'000);
  const int file = ::open(std::getenv("WHARF_TEST_FILE"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  WANT(file >= 0);
  ::close(file);
  co_return absl::OkStatus();
}

// Does not end when its link does.
WHARF_PEER(stubborn) {
  auto end = co_await peer.port().receive();
  WANT(!end.has_value());
  while (true) ::pause();
}

// Closes its port when it is asked to, and lives on.
WHARF_PEER(close_and_live) {
  auto request = co_await peer.port().receive();
  if (!request.has_value()) co_return absl::OkStatus();
  peer.port().close();
  while (true) ::pause();
}

// Receives `argument` requests, answers them all, says one thing more, and ends at once.
WHARF_PEER(answer_and_end) {
  std::vector<ipc::Message> requests;
  while (requests.size() < peer.argument()) {
    auto request = co_await peer.port().receive();
    if (!request.has_value()) co_return absl::OkStatus();
    requests.push_back(*std::move(request));
  }
  for (ipc::Message& request : requests) {
    Status sent = co_await request.reply(ipc::Message("done"));
    WANT_OK(sent);
  }
  Status said = co_await peer.port().send(ipc::Message("that was all"));
  WANT_OK(said);
  co_return absl::OkStatus();
}

// The first to start opens its port and ends; the second never opens it; any other serves.
WHARF_RAW_PEER(by_turns) {
  const std::string folder = std::getenv("WHARF_TEST_FILE");
  if (::mkdir((folder + ".first").c_str(), 0700) == 0) {
    auto port = co_await ipc::Port::open(peer.take_link(), peer.setup().port);
    WANT_OK(port.status());
    co_return absl::OkStatus();
  }
  if (::mkdir((folder + ".second").c_str(), 0700) == 0) {
    while (true) ::pause();
  }
  auto port = co_await ipc::Port::open(peer.take_link(), peer.setup().port);
  WANT_OK(port.status());
  auto end = co_await (*port)->receive();
  static_cast<void>(end);
  co_return absl::OkStatus();
}

WHARF_RAW_PEER(of_another_version) {
  RawLink link(peer.take_link(), false);
  Hello hello = link.own_hello();
  hello.version = 77;
  link.send_hello(hello, {});
  link.wait_for_end();
  co_return absl::OkStatus();
}

// Supervises one worker, which would outlive it, and tells the worker's number to the test.
WHARF_PEER(supervise) {
  PeerSetup setup = peer_setup("echo");
  setup.orphan = true;
  ipc::WorkerOptions options("/proc/self/exe");
  char path[4096] = {};
  WANT(::readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
  options.path = path;
  options.arguments = {"ipc_peers", encode(setup)};
  ipc::Supervisor supervisor(options);
  Status started = co_await supervisor.start();
  WANT_OK(started);
  const pid_t worker = supervisor.workers()[0].pid;
  Status told = co_await peer.port().send(ipc::Message(bytes_of(worker)));
  WANT_OK(told);
  auto end = co_await peer.port().receive();
  static_cast<void>(end);
  co_await supervisor.stop();
  co_return absl::OkStatus();
}

}  // namespace wharf::test
