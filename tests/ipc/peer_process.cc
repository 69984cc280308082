#include "wharf/tests/ipc/peer_process.h"

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/ipc/inherited_link.h"

namespace wharf::test {

std::string program_path(const std::string& name) {
  const char* folder = std::getenv("WHARF_TEST_PROGRAMS");
  if (folder != nullptr) return std::string(folder) + "/" + name;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

PeerProcess::PeerProcess(const PeerSetup& setup) {
  const runtime::UniqueFd theirs = make_link();
  start(setup, theirs.get());
}

PeerProcess::PeerProcess(const PeerSetup& setup, int link) { start(setup, link); }

void PeerProcess::start(const PeerSetup& setup, int link) {
  const runtime::UniqueFd theirs = make_cue();
  runtime::SpawnOptions options(program_path(setup.program));
  options.arguments = {setup.program, encode(setup)};
  options.environment = {std::string(ipc::kInheritedLinkVariable) + "=3"};
  options.fds = {{link, 3}, {theirs.get(), 4}};
  auto process = runtime::Process::spawn(options);
  EXPECT_TRUE(process.ok()) << process.status();
  if (!process.ok()) std::abort();
  process_ = *std::move(process);
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
