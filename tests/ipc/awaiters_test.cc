#include "wharf/ipc/awaiters.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/dump.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/ipc/port.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::ipc {
namespace {

using coro::Task;

constexpr unsigned kReceiveLine = __LINE__ + 1;
Task<void> receive(Port& port) { static_cast<void>(co_await port.receive()); }

Task<std::string> dump_of_a_receive() {
  auto ends = Port::end_pair();
  auto opened = co_await coro::when_all(Port::open(std::move(ends->first)), Port::open(std::move(ends->second)));
  Port& port = **std::get<0>(opened);
  coro::Scope scope;
  scope.spawn(receive(port));
  co_await test::next_turn();
  std::string dump = coro::dump_tasks(runtime::Reactor::current());
  scope.cancel();
  co_await scope.join();
  co_return dump;
}

TEST(AwaitersTest, ATaskThatReceivesSaysSoInADump) {
  test::Harness harness;

  const std::string dump = harness.run(dump_of_a_receive());

#if WHARF_TASK_TRACE
  EXPECT_NE(dump.find(": Port::receive\n"), std::string::npos) << dump;
  EXPECT_NE(dump.find("tests/ipc/awaiters_test.cc:" + std::to_string(kReceiveLine) + "\n"), std::string::npos) << dump;
#endif
}

}  // namespace
}  // namespace wharf::ipc
