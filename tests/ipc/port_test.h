// The fixtures of tests that talk to a peer: PortTest; PortRowTest, which runs every test on both routes, with a peer in a
// process of its own; and PlaceRowTest, which runs it in every place that a peer can be in, too.
//
//     TEST_P(PortRowTest, S12_DescriptorsAreClosedAfterTheSend) {
//       run(setup("echo"), [](ipc::Port& port, PeerProcess& peer) -> coro::Task<void> { ... });
//     }
//
// run() expects that the peer found nothing wrong, and that this process has the descriptors that it had before.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include <gtest/gtest.h>

#include "wharf/coro/task.h"
#include "wharf/ipc/port.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/ipc/peer_process.h"
#include "wharf/tests/ipc/peer_setup.h"
#include "wharf/tests/ipc/turns.h"
#include "wharf/tests/support/coro_test.h"

#define EXPECT_OK(status) EXPECT_EQ((status).code(), ::wharf::StatusCode::kOk) << (status)
#define CO_ASSERT_OK(status) WHARF_CO_ASSERT(EXPECT_OK(status))

namespace wharf::test {

// What a test does at its end of the link. The link and the peer outlive it.
using PortBody = coro::Task<void> (*)(ipc::Port& port, PeerProcess& peer);
using PlaceBody = coro::Task<void> (*)(ipc::Port& port, PeerEnd& peer);

class PortTest : public ::testing::Test {
 protected:
  PortTest();
  ~PortTest() override;

  // Opens a port to the peer, with the peer's own options or with others, and runs `body` at it.
  void run(const PeerSetup& setup, PortBody body);
  void run(const PeerSetup& setup, const ipc::PortOptions& options, PortBody body);
  // With a peer in any place.
  void run(Place place, const PeerSetup& setup, PlaceBody body);
  // Runs a task that opens what it needs itself.
  void run(coro::Task<void> task);
  // For a test of many rounds: the watchdog has patience for one more.
  static void restart_watchdog();
  // For the reactor that run() makes; before it.
  void set_reactor(const runtime::ReactorOptions& options) { reactor_options_ = options; }

 private:
  runtime::ReactorOptions reactor_options_;
};

enum class Route { kSharedMemory, kSocket };

class PortRowTest : public PortTest, public ::testing::WithParamInterface<Route> {
 protected:
  static bool shared() { return GetParam() == Route::kSharedMemory; }
  // A peer on this route.
  static PeerSetup setup(std::string_view name, ipc::PortOptions options = {}) {
    options.shared_memory = shared();
    return peer_setup(name, options);
  }
};

// The route as the last part of a test's name.
std::string route_name(const ::testing::TestParamInfo<Route>& route);

// For rows that need not kill, stop or watch the peer.
class PlaceRowTest : public PortTest, public ::testing::WithParamInterface<std::tuple<Route, Place>> {
 protected:
  static bool shared() { return std::get<Route>(GetParam()) == Route::kSharedMemory; }
  static PeerSetup setup(std::string_view name, ipc::PortOptions options = {}) {
    options.shared_memory = shared();
    return peer_setup(name, options);
  }
  void run(const PeerSetup& setup, PlaceBody body) { PortTest::run(std::get<Place>(GetParam()), setup, body); }
};

// Only where there is shared memory.
using LaneRowTest = PortTest;

// Sends `payload` as a request; gives the reply's payload, and fails the test if there is none.
coro::Task<std::string> ask(ipc::Port& port, ipc::Message request);
// Two requests that only bring the peer's earlier news: releases are published with the first reply at the latest.
coro::Task<void> settle(ipc::Port& port);

}  // namespace wharf::test
