// A process that forks while its reactor runs: the child has no part in it.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/runtime/blocking.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/reactor.h"
#include "wharf/runtime/runtime.h"
#include "wharf/runtime/shared_channel.h"
#include "wharf/runtime/signals.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/runtime/harness.h"
#include "wharf/tests/support/in_a_child.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;
using test::in_a_child;
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

std::size_t sockets_open() {
  std::size_t count = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat info;
    if (::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode)) ++count;
  }
  return count;
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
    EXPECT_TRUE(in_a_child([] { return !has_part_in_a_reactor(); }));
    EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  });
}

class ForkTest : public ::testing::TestWithParam<BackendKind> {};
INSTANTIATE_TEST_SUITE_P(Backends, ForkTest, ::testing::Values(BackendKind::kAuto, BackendKind::kEpoll));

TEST_P(ForkTest, AChildHasNoPartInTheReactorAndTheParentGoesOn) {
  Harness harness({.backend = GetParam()});
  SocketPair pair;
  EXPECT_TRUE(has_part_in_a_reactor());

  harness.run(fork_while_something_waits(pair));

  EXPECT_TRUE(has_part_in_a_reactor());
}

TEST_P(ForkTest, AChildMayHaveAReactorOfItsOwn) {
  Harness harness({.backend = GetParam()});

  EXPECT_TRUE(in_a_child([] {
    SocketPair pair;
    Harness own({.backend = GetParam()});
    own.run(fork_while_something_waits(pair));
    return true;
  }));

  SocketPair pair;
  harness.run(fork_while_something_waits(pair));
}

TEST_P(ForkTest, NothingIsClosedOnceAReactorHasGone) {
  {
    const Harness harness({.backend = GetParam()});
  }
  // These take the numbers of its descriptors.
  std::array<SocketPair, 4> pairs;

  EXPECT_TRUE(in_a_child([&] {
    for (const SocketPair& pair : pairs) {
      if (::write(pair.left.get(), "x", 1) != 1) return false;
    }
    return true;
  }));
}

// A copy of the socket that nobody could close would keep the other end from seeing it closed.
Task<void> fork_while_it_waits(SocketPair& pair, std::size_t sockets_before) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(expect_text(pair.left.get()));
    co_await test::next_turn();
    EXPECT_TRUE(in_a_child([&] {
      pair.left.reset();
      return sockets_open() == sockets_before + 1;
    }));
    EXPECT_EQ(::write(pair.right.get(), "quay", 4), 4);
  });
}

TEST_P(ForkTest, AChildHasNoCopyOfWhatWaits) {
  const std::size_t before = sockets_open();
  SocketPair pair;
  Harness harness({.backend = GetParam()});

  harness.run(fork_while_it_waits(pair, before));
}

Task<void> sleep_a_little(bool& slept) { slept = co_await sleep_for(std::chrono::milliseconds(20)); }

Task<void> fork_beside_a_timer(bool& late, BackendKind kind) {
  co_await coro::with_scope([&](Scope& scope) -> Task<void> {
    scope.spawn(sleep_a_little(late));
    co_await test::next_turn();
    EXPECT_TRUE(in_a_child([kind] {
      Harness own({.backend = kind});
      bool slept = false;
      own.run(sleep_a_little(slept));
      return slept;
    }));
    co_await scope.join();
  });
}

TEST_P(ForkTest, TimersGoOnAndAChildHasItsOwn) {
  Harness harness({.backend = GetParam()});
  bool late = false;

  harness.run(fork_beside_a_timer(late, GetParam()));

  EXPECT_TRUE(late);
}

Task<int> seven() {
  StatusOr<int> result = co_await run_blocking([] { return 7; });
  EXPECT_TRUE(result.ok()) << result.status();
  co_return result.ok() ? *result : 0;
}

TEST_P(ForkTest, ThreadsForWhatBlocksAreTheParentsAndAChildStartsItsOwn) {
  Harness harness({.backend = GetParam()});
  EXPECT_EQ(harness.run(seven()), 7);

  EXPECT_TRUE(in_a_child([] {
    if (!test::kChildMayStartThreads) return true;
    Harness own({.backend = GetParam()});
    return own.run(seven()) == 7;
  }));

  EXPECT_EQ(harness.run(seven()), 7);
}

// They are the parent's to receive, and blocked in the child, as fork() has it; what a child is sent stays with it.
TEST_P(ForkTest, SignalsOfAChildDoNotReachTheParentsSet) {
  Harness harness({.backend = GetParam()});
  StatusOr<std::unique_ptr<SignalSet>> signals = SignalSet::create({SIGUSR1, SIGUSR2});
  ASSERT_TRUE(signals.ok()) << signals.status();

  EXPECT_TRUE(in_a_child([] {
    Harness own({.backend = GetParam()});
    StatusOr<std::unique_ptr<SignalSet>> its = SignalSet::create({SIGUSR1});
    return its.ok() && ::raise(SIGUSR1) == 0 && own.run((*its)->next()).value() == SIGUSR1;
  }));
  ::kill(::getpid(), SIGUSR2);

  StatusOr<int> first = harness.run((*signals)->next());
  EXPECT_TRUE(first.ok() && *first == SIGUSR2) << first.status();
}

Task<Status> fork_beside_other_reactors(Runtime& runtime, SharedChannel<int>& channel) {
  for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
    runtime.spawn_on(
        i,
        [](SharedChannel<int>* out) -> Task<void> {
          bool sent = co_await out->send(1);
          EXPECT_TRUE(sent);
          co_await sleep_until(kNever);
        },
        &channel);
  }
  for (std::uint32_t i = 0; i < runtime.reactor_count(); ++i) {
    std::optional<int> one = co_await channel.receive();
    EXPECT_TRUE(one.has_value());
  }
  EXPECT_TRUE(in_a_child([] { return !has_part_in_a_reactor(); }));
  co_return absl::OkStatus();
}

TEST_P(ForkTest, AChildHasNoPartInTheReactorsOfOtherThreads) {
  const test::Watchdog watchdog;
  RuntimeOptions options;
  options.reactor_count = 3;
  options.reactor.backend = GetParam();
  StatusOr<std::unique_ptr<Runtime>> runtime = Runtime::create(options);
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  SharedChannel<int> channel(1);

  const Status ended = (*runtime)->run(fork_beside_other_reactors(**runtime, channel));

  EXPECT_TRUE(ended.ok()) << ended;
}

}  // namespace
}  // namespace wharf::runtime
