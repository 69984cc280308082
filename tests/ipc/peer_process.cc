#include "wharf/tests/ipc/peer_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <utility>

#include "wharf/ipc/inherited_link.h"
#include "wharf/runtime/io.h"

namespace wharf::test {

std::string program_path(const std::string& name) {
  const char* folder = std::getenv("WHARF_TEST_PROGRAMS");
  if (folder != nullptr) return std::string(folder) + "/" + name;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

PeerProcess::PeerProcess(const PeerSetup& setup) {
  auto sockets = ipc::Port::socket_pair();
  EXPECT_TRUE(sockets.ok()) << sockets.status();
  if (!sockets.ok()) std::abort();
  link_ = std::move(sockets->first);
  start(setup, sockets->second.get());
}

PeerProcess::PeerProcess(const PeerSetup& setup, int link) { start(setup, link); }

void PeerProcess::start(const PeerSetup& setup, int link) {
  int cues[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, cues), 0);
  cue_.reset(cues[0]);
  const runtime::UniqueFd theirs(cues[1]);
  runtime::SpawnOptions options(program_path("ipc_peers"));
  options.arguments = {"ipc_peers", encode(setup)};
  options.environment = {std::string(ipc::kInheritedLinkVariable) + "=3"};
  options.fds = {{link, 3}, {theirs.get(), 4}};
  auto process = runtime::Process::spawn(options);
  EXPECT_TRUE(process.ok()) << process.status();
  if (!process.ok()) std::abort();
  process_ = *std::move(process);
}

coro::Task<std::unique_ptr<ipc::Port>> PeerProcess::open(ipc::PortOptions options) {
  auto port = co_await ipc::Port::open(take_link(), options);
  EXPECT_TRUE(port.ok()) << port.status();
  if (!port.ok()) co_return nullptr;
  co_await until_cued();
  co_return *std::move(port);
}

void PeerProcess::cue() { EXPECT_EQ(::send(cue_.get(), "!", 1, MSG_NOSIGNAL), 1); }

coro::Task<void> PeerProcess::until_cued() {
  std::byte word{};
  auto count = co_await runtime::recv(cue_.get(), std::span(&word, 1));
  EXPECT_TRUE(count.ok() && *count == 1) << "the peer has ended";
}

coro::Task<void> PeerProcess::kill() {
  killed_ = true;
  Status sent = process_->send_signal(SIGKILL);
  EXPECT_TRUE(sent.ok()) << sent;
  auto ended = co_await process_->wait();
  EXPECT_TRUE(ended.ok() && ended->signal == SIGKILL) << "the peer ended by itself";
}

coro::Task<void> PeerProcess::join() {
  auto ended = co_await process_->wait();
  EXPECT_TRUE(ended.ok()) << ended.status();
  const bool well = ended.ok() && (killed_ || ended->success());
  EXPECT_TRUE(well) << "the peer " << (ended.ok() ? ended->text() : "cannot be waited for");
}

}  // namespace wharf::test
