// What a dump says of the tasks that wait for each primitive.

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/auto_reset_event.h"
#include "wharf/coro/dump.h"
#include "wharf/coro/generator.h"
#include "wharf/coro/latch.h"
#include "wharf/coro/mutex.h"
#include "wharf/coro/semaphore.h"
#include "wharf/coro/shared_mutex.h"
#include "wharf/coro/shield.h"
#include "wharf/coro/task_local.h"
#include "wharf/tests/support/coro_test.h"

#if WHARF_TASK_TRACE

namespace wharf::coro {
namespace {

using test::Loop;

// What a dump says while the only task awaits what `make()` gives; then the task is stopped.
template <class Make>
std::string dump_of(Make make) {
  Loop loop;
  auto body = [](Make& awaits) -> Task<void> {
    auto outcome = co_await awaits();
    static_cast<void>(outcome);
  };
  auto task = loop.start(body(make));
  loop.run_ready();
  std::string dump = dump_tasks(loop.executor());
  loop.stop();
  loop.run_ready();
  return dump;
}

Task<bool> wait(AutoResetEvent& event) { co_return co_await event.wait(); }

Generator<bool> one_outcome(AutoResetEvent& event) {
  const bool set = co_await event.wait();
  co_yield set;
}

TEST(DumpNamesTest, EveryPrimitiveSaysWhatItIs) {
  AutoResetEvent event;
  Latch latch(3);
  Mutex mutex;
  SharedMutex shared;
  Semaphore semaphore(1);
  auto lock = mutex.try_lock();
  auto writing = shared.try_lock();

  EXPECT_EQ(dump_of([&] { return event.wait(); }).find("task 1: waits for 0 us: AutoResetEvent::wait\n"), 0U);
  EXPECT_EQ(dump_of([&] { return latch.wait(); }).find("task 1: waits for 0 us: Latch::wait, at 3\n"), 0U);
  EXPECT_EQ(dump_of([&] { return mutex.lock(); }).find("task 1: waits for 0 us: Mutex::lock\n"), 0U);
  EXPECT_EQ(dump_of([&] { return shared.lock(); }).find("task 1: waits for 0 us: SharedMutex::lock\n"), 0U);
  EXPECT_EQ(dump_of([&] { return shared.lock_shared(); }).find("task 1: waits for 0 us: SharedMutex::lock_shared\n"),
            0U);
  EXPECT_EQ(
      dump_of([&] { return semaphore.acquire(2); }).find("task 1: waits for 0 us: Semaphore::acquire, 2 of 1 there\n"),
      0U);
}

TEST(DumpNamesTest, WhatRunsUnderAShieldOrALocalValueStandsUnderTheTaskThatAwaitsIt) {
  Loop loop;
  AutoResetEvent event;
  TaskLocal<int> depth;
  auto body = [](AutoResetEvent& news, TaskLocal<int>& name) -> Task<void> {
    co_await shield(wait(news));
    co_await with_local(name, 1, wait(news));
  };
  auto task = loop.start(body(event, depth));
  loop.run_ready();

  const std::string shielded = dump_tasks(loop.executor());
  event.set();
  loop.run_ready();
  const std::string local = dump_tasks(loop.executor());
  event.set();
  loop.run_ready();

  EXPECT_EQ(shielded.find("task 1: waits for 0 us: shield\n"), 0U) << shielded;
  EXPECT_NE(shielded.find("    task 2: waits for 0 us: AutoResetEvent::wait\n"), std::string::npos) << shielded;
  EXPECT_EQ(local.find("task 1: waits for 0 us: with_local\n"), 0U) << local;
  EXPECT_TRUE(task.done());
}

TEST(DumpNamesTest, AGeneratorStandsInTheAwaitChain) {
  Loop loop;
  AutoResetEvent event;
  auto body = [](AutoResetEvent& news) -> Task<void> {
    auto outcomes = one_outcome(news);
    auto first = co_await outcomes.next();
    static_cast<void>(first);
  };
  auto task = loop.start(body(event));
  loop.run_ready();

  const std::string dump = dump_tasks(loop.executor());
  event.set();
  loop.run_ready();

  EXPECT_EQ(dump.find("task 1: waits for 0 us: AutoResetEvent::wait\n"), 0U) << dump;
  EXPECT_NE(dump.find("one_outcome("), std::string::npos) << dump;
}

}  // namespace
}  // namespace wharf::coro

#endif
