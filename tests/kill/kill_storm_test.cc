// Workers killed and stopped at random under load. WHARF_KILL_COUNT says how often (100 if it is not set),
// WHARF_KILL_SEED repeats a storm: its seed is printed, though when the kernel runs whom is not in it.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/runtime/base/sys.h"
#include "wharf/runtime/io.h"
#include "wharf/runtime/timer.h"
#include "wharf/tests/ipc/descriptors.h"
#include "wharf/tests/ipc/port_test.h"
#include "wharf/tests/ipc/processes.h"
#include "wharf/tests/kill/survivor.h"

namespace wharf::test {
namespace {

constexpr std::size_t kPayloadBytesMax = 1 << 20;
constexpr std::size_t kPlaceCount = 4;
constexpr int kClientsPerWorker = 3;
// Of one process that has seen a fifth of the storm; the allocator's own drift, and under a sanitizer its quarantine.
constexpr std::size_t kGrowthBytesMax = kSanitized ? 512 << 20 : 16 << 20;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

struct Storm {
  Storm(std::uint64_t kills, std::uint64_t seed) : kill_count_max(kills), random(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random() % bound; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  // As many small ones as large ones.
  std::size_t payload_bytes() {
    const std::uint64_t magnitude = below(21);
    return magnitude == 0 ? 0 : below(std::uint64_t{1} << magnitude) + 1;
  }

  const std::uint64_t kill_count_max;
  std::mt19937_64 random;
  const std::string payload = pattern(2 * kPayloadBytesMax);
  std::uint64_t kill_count = 0;
  std::uint64_t stop_count = 0;
  std::uint64_t asked_count = 0;
  std::uint64_t answered_count = 0;
  std::uint64_t failed_count = 0;
  std::size_t resident_bytes_early = 0;
};

// One worker's life.
struct Life {
  Storm& storm;
  ipc::Port& port;
  std::uint64_t answers_left;  // before it is time for a fault
  coro::Event fault_due;
};

void check_reply(ipc::Message& reply, std::uint32_t type, std::string_view payload, bool with_fd) {
  std::string spare;
  EXPECT_EQ(reply.type(), type) << "the answer to another request";
  EXPECT_TRUE(reply.text(spare) == payload) << payload.size() << " bytes";
  EXPECT_EQ(reply.fd_count(), with_fd ? 1u : 0u);
  EXPECT_EQ(number_in(reply.take_fd(0)), with_fd ? type : UINT64_MAX);
}

coro::Task<void> be_client(Life& life) {
  Storm& storm = life.storm;
  bool alive = true;
  while (alive) {
    const auto type = static_cast<std::uint32_t>(++storm.asked_count);
    const std::string_view payload =
        std::string_view(storm.payload).substr(storm.below(kPayloadBytesMax), storm.payload_bytes());
    ipc::Message request(type, payload);
    const bool with_fd = storm.one_in(8);
    if (with_fd) request.attach(numbered_file(type));
    auto reply = co_await life.port.call(std::move(request));
    alive = reply.ok();
    if (!alive) {
      ++storm.failed_count;
      EXPECT_EQ(reply.status(), life.port.status());
      continue;
    }
    ++storm.answered_count;
    check_reply(*reply, type, payload, with_fd);
    if (life.answers_left != 0 && --life.answers_left == 0) life.fault_due.set();
  }
  life.fault_due.set();  // it may have died before its time
}

// Stops the worker, and lets it go on or not.
coro::Task<void> stop_for_a_while(Storm& storm, PeerProcess& peer) {
  ++storm.stop_count;
  Status signalled = peer.process().send_signal(SIGSTOP);
  EXPECT_OK(signalled);
  co_await until_stopped(peer.pid());
  if (storm.one_in(2)) co_return;  // it is killed where it stands
  signalled = peer.process().send_signal(SIGCONT);
  EXPECT_OK(signalled);
}

coro::Task<void> serve_and_die(Storm& storm, PeerProcess& peer, ipc::Port& port) {
  Life life{.storm = storm, .port = port, .answers_left = storm.below(20) + 1, .fault_due = {}};
  coro::Scope clients;
  for (int i = 0; i < kClientsPerWorker; ++i) clients.spawn(be_client(life));
  bool due = co_await life.fault_due.wait();
  EXPECT_TRUE(due);
  if (port.status().ok() && storm.one_in(4)) co_await stop_for_a_while(storm, peer);
  bool elapsed = co_await runtime::sleep_for(std::chrono::microseconds(storm.below(300)));
  EXPECT_TRUE(elapsed);

  co_await peer.kill();
  co_await clients.join();

  EXPECT_EQ(port.status().code(), StatusCode::kUnavailable) << port.status();
  EXPECT_EQ(port.counters().blocks_lent_now, 0u);
  EXPECT_EQ(port.counters().arena_used_bytes, 0u);
}

coro::Task<void> die_young(Storm& storm, PeerProcess& peer) {
  bool elapsed = co_await runtime::sleep_for(std::chrono::microseconds(storm.below(8'000)));
  EXPECT_TRUE(elapsed);
  Status signalled = peer.process().send_signal(SIGKILL);
  EXPECT_OK(signalled);
}

// Fills one place with workers, each of which is killed: some in the handshake, or before.
coro::Task<void> keep_place(Storm& storm, void (*next_round)()) {
  while (storm.kill_count < storm.kill_count_max && !::testing::Test::HasFailure()) {
    next_round();
    ++storm.kill_count;
    ipc::PortOptions options;
    options.shared_memory = !storm.one_in(4);
    PeerProcess peer(fault_peer("storm_worker", options));
    coro::Scope early_death;
    if (storm.one_in(8)) early_death.spawn(die_young(storm, peer));
    auto port = co_await ipc::Port::open(peer.take_link(), options);
    co_await early_death.join();
    if (port.ok()) {
      co_await serve_and_die(storm, peer, **port);
    } else {
      EXPECT_EQ(port.status().code(), StatusCode::kUnavailable) << port.status();
      co_await peer.kill();
    }
    if (storm.kill_count == storm.kill_count_max / 5) storm.resident_bytes_early = resident_bytes();
  }
}

coro::Task<void> storm_over_all(Storm& storm, void (*next_round)()) {
  coro::Scope places;
  for (std::size_t i = 0; i < kPlaceCount; ++i) places.spawn(keep_place(storm, next_round));
  co_await places.join();
}

using KillStorm = PortTest;

TEST_F(KillStorm, WorkersKilledAndStoppedAtRandomUnderLoadLeaveTheRouterWhole) {
  const std::uint64_t seed = number_from("WHARF_KILL_SEED", std::random_device()());
  Storm storm(number_from("WHARF_KILL_COUNT", 100), seed);
  std::printf("%llu kills, seed %llu\n", static_cast<unsigned long long>(storm.kill_count_max),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);

  run(storm_over_all(storm, restart_watchdog));

  std::printf("%llu kills, %llu stops, %llu requests: %llu answered, %llu failed\n",
              static_cast<unsigned long long>(storm.kill_count), static_cast<unsigned long long>(storm.stop_count),
              static_cast<unsigned long long>(storm.asked_count), static_cast<unsigned long long>(storm.answered_count),
              static_cast<unsigned long long>(storm.failed_count));
  EXPECT_GE(storm.kill_count, storm.kill_count_max);
  EXPECT_EQ(storm.asked_count, storm.answered_count + storm.failed_count);
  EXPECT_GE(storm.answered_count, storm.kill_count_max);
  EXPECT_LE(resident_bytes(), storm.resident_bytes_early + kGrowthBytesMax);
}

coro::Task<void> kill_the_router() {
  constexpr std::uint64_t kWorkerCount = 3;
  PeerSetup setup = fault_peer("storm_router", {});
  setup.argument = kWorkerCount;
  PeerProcess router(setup);
  auto port = co_await router.open({});
  CO_ASSERT_TRUE(port != nullptr);
  std::vector<runtime::UniqueFd> workers;
  while (workers.size() < kWorkerCount) {
    auto message = co_await port->receive();
    CO_ASSERT_TRUE(message.has_value());
    workers.emplace_back(runtime::sys::pidfd_open(value_of<pid_t>(message->to_string()), 0));
    CO_ASSERT_TRUE(static_cast<bool>(workers.back()));
  }

  co_await router.kill();

  for (const runtime::UniqueFd& worker : workers) {
    auto ended = co_await runtime::poll(worker.get(), POLLIN);
    EXPECT_OK(ended.status());
  }
}

TEST_F(KillStorm, WorkersOfARouterThatWasKilledEnd) { run(kill_the_router()); }

}  // namespace
}  // namespace wharf::test
