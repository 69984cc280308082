// A peer that forks while its port is open.
#include "wharf/tests/ipc/peers/forking.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "wharf/runtime/base/unique_fd.h"
#include "wharf/tests/ipc/peer.h"
#include "wharf/tests/ipc/peers/basic.h"

extern char** environ;

namespace wharf::test {
namespace {

char shell[] = "/bin/sh";
char option[] = "-c";
char nothing[] = "exit 0";
char* const arguments[] = {shell, option, nothing, nullptr};

bool ends_well(pid_t child) {
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

bool fork_and_exit() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  return ends_well(child);
}

bool fork_and_stay(runtime::UniqueFd leash) {
  const pid_t child = ::fork();
  if (child != 0) return child > 0;
  char byte = 0;
  while (::read(leash.get(), &byte, 1) == 1 && ::write(leash.get(), &byte, 1) == 1) continue;
  ::_exit(0);
}

bool spawn() {
  pid_t child = -1;
  return ::posix_spawn(&child, shell, nullptr, nullptr, arguments, environ) == 0 && ends_well(child);
}

bool spawn_by_vfork() {
  const pid_t child = ::vfork();
  if (child == 0) {
    ::execve(shell, arguments, environ);
    ::_exit(1);
  }
  return ends_well(child);
}

}  // namespace

WHARF_PEER(forker) {
  while (auto message = co_await peer.port().receive()) {
    std::string payload;
    switch (message->type()) {
      case kForkAndExit: WANT(fork_and_exit()); break;
      case kForkAndStay: WANT(fork_and_stay(message->take_fd(0))); break;
      case kSpawn: WANT(spawn()); break;
      case kVfork: WANT(spawn_by_vfork()); break;
      default: payload = message->to_string();
    }
    Status sent = co_await message->reply(ipc::Message(payload));
    WANT(ended_or_ok(sent));
  }
  co_return absl::OkStatus();
}

}  // namespace wharf::test
