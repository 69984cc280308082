#include "wharf/runtime/dump_on_signal.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/trace.h"
#include "wharf/runtime/reactor.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::runtime {
namespace {

using coro::Scope;
using coro::Task;
using test::Harness;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::string text_of(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

Task<void> wait_for(coro::Event& event) { static_cast<void>(co_await event.wait()); }

Task<std::string> dump_at_signals(int count) {
  StatusOr<std::unique_ptr<SignalSet>> signals = SignalSet::create({SIGUSR1});
  EXPECT_TRUE(signals.ok());
  const File file(std::tmpfile(), &std::fclose);
  coro::Event event;
  Scope scope;
  scope.spawn(dump_on_signal(*std::move(signals), file.get()));
  scope.spawn(wait_for(event));
  std::string text;
  for (int i = 0; i < count; ++i) {
    ::kill(::getpid(), SIGUSR1);
    const std::size_t before = text.size();
    while (text.size() == before) {
      co_await test::next_turn();
      text = text_of(file.get());
    }
  }
  scope.cancel();
  co_await scope.join();
  co_return text;
}

TEST(DumpOnSignalTest, EverySignalMakesADump) {
  Harness harness;

  const std::string text = harness.run(dump_at_signals(2));

#if WHARF_TASK_TRACE
  const std::string line = "dump_on_signal(";
  EXPECT_NE(text.find(line), text.rfind(line)) << text;
  EXPECT_NE(text.find("wait_for("), std::string::npos) << text;
#endif
}

TEST(DumpOnSignalTest, AStopEndsItWithoutADump) {
  Harness harness;

  EXPECT_EQ(harness.run(dump_at_signals(0)), "");
}

}  // namespace
}  // namespace wharf::runtime
