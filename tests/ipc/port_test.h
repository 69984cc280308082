// The fixtures of tests that talk to a real process: PortTest, and PortRowTest, which runs every test on both routes.
//
//     TEST_P(PortRowTest, S12_DescriptorsAreClosedAfterTheSend) {
//       run(setup("echo"), [](ipc::Port& port, PeerProcess& peer) -> coro::Task<void> { ... });
//     }
//
// run() expects that the peer found nothing wrong, and that this process has the descriptors that it had before.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

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

class PortTest : public ::testing::Test {
 protected:
  PortTest();
  ~PortTest() override;

  // Opens a port to the peer, with the peer's own options or with others, and runs `body` at it.
  void run(const PeerSetup& setup, PortBody body);
  void run(const PeerSetup& setup, const ipc::PortOptions& options, PortBody body);
  // Runs a task that opens what it needs itself.
  void run(coro::Task<void> task);
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

// Only where there is shared memory.
using LaneRowTest = PortTest;

// Sends `payload` as a request; gives the reply's payload, and fails the test if there is none.
coro::Task<std::string> ask(ipc::Port& port, ipc::Message request);
// Two requests that only bring the peer's earlier news: releases are published with the first reply at the latest.
coro::Task<void> settle(ipc::Port& port);

}  // namespace wharf::test
