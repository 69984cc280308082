// A process that forks while its reactor runs: the child has no part in it.
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::SocketPair;

// Whether this process has a descriptor, or a mapping, of a ring or an epoll instance.
bool has_part_in_a_reactor() {
  DIR* directory = ::opendir("/proc/self/fd");
  bool found = false;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    char target[256];
    const ssize_t bytes = ::readlink(path.c_str(), target, sizeof(target));
    const std::string_view name(target, bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
    found |= name.find("io_uring") != name.npos || name.find("eventpoll") != name.npos;
  }
  ::closedir(directory);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) found |= line.find("io_uring]") != line.npos;
  return found;
}

// Forks; gives what the child found, as its exit status.
int fork_and_look() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(has_part_in_a_reactor() ? 1 : 0);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

Task<void> expect_text(int fd) {
  std::array<std::byte, 16> buffer;
  StatusOr<std::size_t> count = co_await recv(fd, buffer);
  EXPECT_TRUE(count.ok()) << count.status();
  if (count.ok()) {
    EXPECT_EQ(test::text_of(std::span(buffer).first(*count)), "quay");
  }
}

Task<void> fork_while_something_waits(SocketPair& pair) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(expect_text(pair.left.get()));
    co_await test::next_turn();  // the kernel has it
    EXPECT_EQ(fork_and_look(), 0);
    EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  });
}

class ForkTest : public ::testing::TestWithParam<BackendKind> {};
INSTANTIATE_TEST_SUITE_P(Backends, ForkTest,
                         ::testing::Values(BackendKind::kAuto, BackendKind::kEpoll));

TEST_P(ForkTest, AChildHasNoPartInTheReactorAndTheParentGoesOn) {
  Harness harness({.backend = GetParam()});
  SocketPair pair;
  EXPECT_TRUE(has_part_in_a_reactor());

  harness.run(fork_while_something_waits(pair));

  EXPECT_TRUE(has_part_in_a_reactor());
}

TEST_P(ForkTest, AChildMayHaveAReactorOfItsOwn) {
  Harness harness({.backend = GetParam()});
  const pid_t child = ::fork();
  if (child == 0) {
    SocketPair pair;
    StatusOr<std::unique_ptr<Reactor>> own = Reactor::create({.backend = GetParam()});
    if (!own.ok() || ::write(pair.right.get(), "quay", 4) != 4) ::_exit(1);
    (*own)->run(expect_text(pair.left.get()));
    own->reset();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);

  EXPECT_EQ(status, 0);
  SocketPair pair;
  harness.run(fork_while_something_waits(pair));
}

TEST_P(ForkTest, NothingIsClosedOnceAReactorHasGone) {
  {
    const Harness harness({.backend = GetParam()});
  }
  // These take the numbers of its descriptors.
  std::array<SocketPair, 4> pairs;
  const pid_t child = ::fork();
  if (child == 0) {
    for (const SocketPair& pair : pairs) {
      if (::write(pair.left.get(), "x", 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);

  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace wharf::runtime
