#include "wharf/coro/dump.h"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/channel.h"
#include "wharf/coro/event.h"
#include "wharf/coro/scope.h"
#include "wharf/coro/when_all.h"
#include "wharf/coro/when_any.h"
#include "wharf/tests/coro/count_of.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::count_of;
using test::Loop;

TEST(FunctionOfTest, TheTypeIsLeftOut) {
  EXPECT_EQ(function_of("Task<void> serve(int)"), "serve(int)");
  EXPECT_EQ(function_of("static Task<std::pair<int, int> > Server::serve(int, int) const"),
            "Server::serve(int, int) const");
  EXPECT_EQ(function_of("serve(int)"), "serve(int)");
  EXPECT_EQ(function_of(""), "");
}

TEST(FunctionOfTest, NamespacesWithoutANameStay) {
  EXPECT_EQ(function_of("Task<void> (anonymous namespace)::serve(int)"), "(anonymous namespace)::serve(int)");
  EXPECT_EQ(function_of("Task<void> wharf::{anonymous}::serve(int)"), "wharf::{anonymous}::serve(int)");
}

TEST(FunctionOfTest, ALambdaStays) {
  EXPECT_EQ(function_of("main()::<lambda(int)>"), "main()::<lambda(int)>");
  EXPECT_EQ(function_of("auto main()::(anonymous class)::operator()(int) const"),
            "main()::(anonymous class)::operator()(int) const");
}

TEST(FunctionOfTest, TheFrameOfAFunctionIsLeftOut) {
  EXPECT_EQ(function_of("void wharf::serve(wharf::serve(int)::_ZN5wharf5serveEi.Frame*)"), "wharf::serve(int)");
}

TEST(FunctionOfTest, TheFrameOfALambdaIsLeftOut) {
  EXPECT_EQ(function_of("void main()::<lambda(int)>::operator()(main()::<lambda(int)>::_ZZ4mainENKUliE_clEi.Frame*)"),
            "main()::<lambda(int)>");
}

TEST(FunctionOfTest, TheArgumentsOfATemplateStay) {
  EXPECT_EQ(function_of("void serve(serve(T)::_Z5serveIiEvT_.Frame*) [with T = int]"), "serve(T) [with T = int]");
}

TEST(FunctionOfTest, WhatLooksLikeAFrameAndIsNoneStays) {
  EXPECT_EQ(function_of("::_Z.Frame*)"), "::_Z.Frame*)");
  EXPECT_EQ(function_of(".Frame*)"), ".Frame*)");
}

TEST(DurationTextTest, GivesThreeDigitsAndAUnit) {
  EXPECT_EQ(duration_text(0), "0 us");
  EXPECT_EQ(duration_text(820'400), "820 us");
  EXPECT_EQ(duration_text(12'540'000), "12.5 ms");
  EXPECT_EQ(duration_text(3'000'000'000), "3 s");
  EXPECT_EQ(duration_text(5'400'000'000'000), "5400 s");
  EXPECT_EQ(duration_text(999'400), "999 us");
  EXPECT_EQ(duration_text(999'600), "1 ms");
  EXPECT_EQ(duration_text(999'600'000), "1 s");
  EXPECT_EQ(duration_text(999'600'000'000), "1000 s");
}

TEST(DumpTest, ADumpOfNothingSaysSo) {
  Loop loop;

  EXPECT_EQ(dump_tasks(loop.executor()).find("no tasks"), 0U);
}

#if WHARF_TASK_TRACE

// This file and a line of it, as a dump names them.
std::string at(unsigned line) { return "coro/dump_test.cc:" + std::to_string(line) + "\n"; }

struct Lines {
  unsigned inner = 0;
  unsigned outer = 0;
};

Task<bool> inner(Event& event, Lines& lines) {
  lines.inner = __LINE__ + 1;
  const bool set = co_await event.wait();
  co_return set;
}

Task<bool> outer(Event& event, Lines& lines) {
  lines.outer = __LINE__ + 1;
  const bool set = co_await inner(event, lines);
  co_return set;
}

Task<void> nothing() { co_return; }

TEST(DumpTest, AWaitingTaskIsShownWithTheLineOfEachAwait) {
  Loop loop;
  Event event;
  Lines lines;
  auto task = loop.start(outer(event, lines));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: waits for 0 us: Event::wait\n  "), 0U) << dump;
  const std::size_t of_outer = dump.find(at(lines.outer));
  const std::size_t of_inner = dump.find(at(lines.inner));
  ASSERT_NE(of_outer, std::string::npos) << dump;
  ASSERT_NE(of_inner, std::string::npos) << dump;
  EXPECT_LT(of_outer, of_inner);
  EXPECT_EQ(count_of(dump, "outer("), 1U) << dump;
  EXPECT_EQ(count_of(dump, "inner("), 1U) << dump;
  EXPECT_EQ(count_of(dump, "Frame*"), 0U) << dump;
  event.set();
  loop.run_ready();
}

TEST(DumpTest, ATaskThatHasEndedIsNotShown) {
  Loop loop;
  auto task = loop.start(nothing());
  loop.run_ready();

  EXPECT_EQ(dump_tasks(loop.executor()), "no tasks\n");
}

TEST(DumpTest, ATaskThatHasNotBegunIsReadyInItsFunction) {
  Loop loop;
  auto task = loop.start(nothing());

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: ready\n"), 0U) << dump;
  EXPECT_EQ(count_of(dump, "nothing()"), 1U) << dump;
  loop.run_ready();
}

TEST(DumpTest, ATaskWhoseWaitIsOverIsReady) {
  Loop loop;
  Event event;
  Lines lines;
  auto task = loop.start(outer(event, lines));
  loop.run_ready();
  event.set();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: ready\n"), 0U) << dump;
  EXPECT_EQ(count_of(dump, at(lines.inner)), 1U) << dump;
  loop.run_ready();
}

TEST(DumpTest, TheTaskThatMakesTheDumpRuns) {
  Loop loop;

  const std::string dump = loop.run([](Loop& of) -> Task<std::string> { co_return dump_tasks(of.executor()); }(loop));

  EXPECT_EQ(dump.find("task 1: runs\n"), 0U) << dump;
}

TEST(DumpTest, TasksOfAWhenAllStandUnderTheirParent) {
  Loop loop;
  Event event;
  Lines lines;
  const auto both = [](Event& of, Lines& in) -> Task<void> {
    static_cast<void>(co_await when_all(outer(of, in), outer(of, in)));
  };
  auto task = loop.start(both(event, lines));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: waits for 0 us: when_all, 2 left\n"), 0U) << dump;
  EXPECT_NE(dump.find("\n    task 2: waits for 0 us: Event::wait\n      "), std::string::npos) << dump;
  EXPECT_NE(dump.find("\n    task 3: waits for 0 us: Event::wait\n      "), std::string::npos) << dump;
  event.set();
  loop.run_ready();
}

TEST(DumpTest, TasksOfAWhenAnyStandUnderTheirParent) {
  Loop loop;
  Event event;
  Lines lines;
  const auto either = [](Event& of, Lines& in) -> Task<void> {
    static_cast<void>(co_await when_any(outer(of, in), outer(of, in)));
  };
  auto task = loop.start(either(event, lines));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: waits for 0 us: when_any, 2 left\n"), 0U) << dump;
  EXPECT_EQ(count_of(dump, "\n    task "), 2U) << dump;
  event.set();
  loop.run_ready();
}

Task<void> wait_in_scope(Event& event, Lines& lines, bool join) {
  Scope scope;
  scope.spawn([](Event& of, Lines& in) -> Task<void> {
    const bool set = co_await inner(of, in);
    EXPECT_TRUE(set);
  }(event, lines));
  if (!join) {
    const bool set = co_await event.wait();
    EXPECT_TRUE(set);
  }
  co_await scope.join();
}

TEST(DumpTest, ASpawnedTaskStandsByItself) {
  Loop loop;
  Event event;
  Lines lines;
  auto task = loop.start(wait_in_scope(event, lines, false));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(count_of(dump, "\ntask 2: waits for 0 us: Event::wait\n"), 1U) << dump;
  event.set();
  loop.run_ready();
}

TEST(DumpTest, ATaskThatIsJoinedStandsUnderWhoeverJoins) {
  Loop loop;
  Event event;
  Lines lines;
  auto task = loop.start(wait_in_scope(event, lines, true));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(dump.find("task 1: waits for 0 us: Scope::join, 1 left\n"), 0U) << dump;
  EXPECT_EQ(count_of(dump, "\n    task 2: waits for 0 us: Event::wait\n"), 1U) << dump;
  event.set();
  loop.run_ready();
}

TEST(DumpTest, AChannelSaysWhichSideWaits) {
  Loop loop;
  Channel<int> channel(1);
  auto receiver =
      loop.start([](Channel<int>& from) -> Task<void> { static_cast<void>(co_await from.receive()); }(channel));
  loop.run_ready();
  EXPECT_EQ(count_of(dump_tasks(loop.executor()), ": Channel::receive\n"), 1U);
  channel.close();
  loop.run_ready();

  Channel<int> full(1);
  auto sender = loop.start([](Channel<int>& to) -> Task<void> {
    static_cast<void>(co_await to.send(1));
    static_cast<void>(co_await to.send(2));
  }(full));
  loop.run_ready();
  EXPECT_EQ(count_of(dump_tasks(loop.executor()), ": Channel::send\n"), 1U);
  full.close();
  loop.run_ready();
}

Task<bool> nested(Event& event, int depth) {
  if (depth == 0) co_return co_await event.wait();
  const bool set = co_await nested(event, depth - 1);
  co_return set;
}

TEST(DumpTest, ALongChainIsShownByItsBeginningAndItsEnd) {
  Loop loop;
  Event event;
  auto task = loop.start(nested(event, 99));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());

  EXPECT_EQ(count_of(dump, "dump_test.cc"), 32U) << dump;
  EXPECT_EQ(count_of(dump, "... and 68 more\n"), 1U) << dump;
  event.set();
  loop.run_ready();
}

Task<int> deep(int levels) {
  if (levels == 0) co_return 0;
  const int below = co_await deep(levels - 1);
  co_return below + 1;
}

// Where transfers are no tail calls a long chain goes by way of the queue now and then (Executor::transfer_to).
TEST(DumpTest, BetweenTurnsNothingRunsHoweverDeepAChainIs) {
  Loop loop;
  auto task = loop.start(deep(5'000));

  while (!loop.executor().idle()) {
    loop.executor().run_ready(1);
    const std::string dump = dump_tasks(loop.executor());
    ASSERT_EQ(count_of(dump, "runs\n"), 0U) << dump;
  }

  EXPECT_EQ(task.take(), 5'000);
}

TEST(DumpTest, GoesToAFileToo) {
  Loop loop;
  auto task = loop.start(nothing());
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);

  dump_tasks(loop.executor(), file);

  std::rewind(file);
  std::string text(1000, ' ');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  EXPECT_EQ(text, dump_tasks(loop.executor()));
  std::fclose(file);
  loop.run_ready();
}

TEST(DumpTest, TheExecutorKnowsWhichFunctionRuns) {
  Loop loop;
  const auto where = [](Loop& of) -> Task<std::string> {
    co_await yield();
    co_return of.executor().running_at().function_name();
  };

  const std::string function = loop.run(where(loop));

  EXPECT_NE(function.find("TheExecutorKnowsWhichFunctionRuns"), std::string::npos) << function;
  EXPECT_EQ(loop.executor().running_at().line(), 0U);
}

#endif

}  // namespace
}  // namespace wharf::coro
