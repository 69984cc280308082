#include "wharf/tests/ipc/port_test.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "wharf/tests/ipc/processes.h"

namespace wharf::test {
namespace {

// No wait in these tests has a limit of its own.
constexpr unsigned kWatchdogSeconds = kSanitized ? 240 : 60;

[[noreturn]] void on_alarm(int /*signal*/) {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::fprintf(stderr, "watchdog: %s.%s is stuck\n", test->test_suite_name(), test->name());
  std::fflush(nullptr);
  std::abort();
}

coro::Task<void> run_in_place(Place place, PeerSetup setup, PlaceBody body) {
  const std::unique_ptr<PeerEnd> peer = start_peer(place, setup);
  auto port = co_await peer->open(setup.port);
  CO_ASSERT_TRUE(port != nullptr);
  EXPECT_EQ(port->uses_shared_memory(), setup.port.shared_memory);
  co_await body(*port, *peer);
  port.reset();
  co_await peer->join();
}

coro::Task<void> run_body(PeerSetup setup, ipc::PortOptions options, PortBody body) {
  PeerProcess peer(setup);
  auto port = co_await peer.open(options);
  CO_ASSERT_TRUE(port != nullptr);
  EXPECT_EQ(port->uses_shared_memory(), setup.port.shared_memory && options.shared_memory);
  co_await body(*port, peer);
  port.reset();
  co_await peer.join();
}

}  // namespace

PortTest::PortTest() {
  ::signal(SIGALRM, on_alarm);
  restart_watchdog();
}
PortTest::~PortTest() { ::alarm(0); }

void PortTest::restart_watchdog() { ::alarm(kWatchdogSeconds); }

void PortTest::run(coro::Task<void> task) {
  const std::map<int, std::string> fds_before = open_fds();
  {
    auto reactor = runtime::Reactor::create(reactor_options_);
    EXPECT_OK(reactor.status());
    if (!reactor.ok()) std::abort();
    (*reactor)->run(std::move(task));
  }
  EXPECT_EQ(open_fds(), fds_before);
}

void PortTest::run(const PeerSetup& setup, const ipc::PortOptions& options, PortBody body) {
  run(run_body(setup, options, body));
}

void PortTest::run(Place place, const PeerSetup& setup, PlaceBody body) { run(run_in_place(place, setup, body)); }

void PortTest::run(const PeerSetup& setup, PortBody body) { run(setup, setup.port, body); }

coro::Task<std::string> ask(ipc::Port& port, ipc::Message request) {
  auto reply = co_await port.call(std::move(request));
  EXPECT_OK(reply.status());
  co_return reply.ok() ? reply->to_string() : std::string();
}

coro::Task<void> settle(ipc::Port& port) {
  for (int i = 0; i < 2; ++i) {
    std::string reply = co_await ask(port, ipc::Message("settle"));
    static_cast<void>(reply);
  }
}

std::string route_name(const ::testing::TestParamInfo<Route>& route) {
  return route.param == Route::kSharedMemory ? "SharedMemory" : "Socket";
}

// Programs that share this file need not have tests of both kinds.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PlaceRowTest);
INSTANTIATE_TEST_SUITE_P(, PortRowTest, ::testing::Values(Route::kSharedMemory, Route::kSocket), route_name);

namespace {

std::string place_name(const ::testing::TestParamInfo<std::tuple<Route, Place>>& row) {
  constexpr const char* kPlaces[] = {"Process", "Thread", "Task"};
  const auto [route, place] = row.param;
  return route_name({route, row.index}) + kPlaces[static_cast<int>(place)];
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(, PlaceRowTest,
                         ::testing::Combine(::testing::Values(Route::kSharedMemory, Route::kSocket),
                                            ::testing::Values(Place::kProcess, Place::kThread, Place::kTask)),
                         place_name);

}  // namespace wharf::test
