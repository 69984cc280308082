#include "wharf/coro/shared_mutex.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "wharf/coro/event.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Loop;
using Log = std::vector<std::string>;

Task<void> write(SharedMutex& mutex, Event& release, Log& log, std::string name) {
  auto lock = co_await mutex.lock();
  log.push_back(name + (lock ? " writes" : " stopped"));
  if (lock) {
    const bool released = co_await release.wait();
    static_cast<void>(released);
  }
}

Task<void> read(SharedMutex& mutex, Event& release, Log& log, std::string name) {
  auto lock = co_await mutex.lock_shared();
  log.push_back(name + (lock ? " reads" : " stopped"));
  if (lock) {
    const bool released = co_await release.wait();
    static_cast<void>(released);
  }
}

TEST(SharedMutexTest, ReadersShareItAndAWriterHasItAlone) {
  Loop loop;
  SharedMutex mutex;
  Event readers_go;
  Event writer_goes;
  Log log;
  auto a = loop.start(read(mutex, readers_go, log, "a"));
  auto b = loop.start(read(mutex, readers_go, log, "b"));
  auto c = loop.start(write(mutex, writer_goes, log, "c"));
  loop.run_ready();
  EXPECT_EQ(log, (Log{"a reads", "b reads"}));
  EXPECT_EQ(mutex.reader_count(), 2U);

  readers_go.set();
  loop.run_ready();
  EXPECT_EQ(log.back(), "c writes");
  EXPECT_TRUE(mutex.locked());
  EXPECT_FALSE(mutex.try_lock_shared());
  EXPECT_FALSE(mutex.try_lock());
  writer_goes.set();
  loop.run_ready();

  EXPECT_FALSE(mutex.locked());
  EXPECT_EQ(mutex.reader_count(), 0U);
}

TEST(SharedMutexTest, AReaderWaitsBehindAWaitingWriter) {
  Loop loop;
  SharedMutex mutex;
  Event release;
  Log log;
  auto reading = mutex.try_lock_shared();
  auto writer = loop.start(write(mutex, release, log, "writer"));
  auto late = loop.start(read(mutex, release, log, "late"));
  loop.run_ready();
  EXPECT_EQ(log, Log{});
  EXPECT_FALSE(mutex.try_lock_shared());

  reading.unlock();
  release.set();
  loop.run_ready();

  EXPECT_EQ(log, (Log{"writer writes", "late reads"}));
}

TEST(SharedMutexTest, AWriterThatLetsGoAdmitsAllReadersUpToTheNextWriter) {
  Loop loop;
  SharedMutex mutex;
  Event never;
  Event release;
  Log log;
  auto writing = mutex.try_lock();
  auto a = loop.start(read(mutex, release, log, "a"));
  auto b = loop.start(read(mutex, release, log, "b"));
  auto c = loop.start(write(mutex, release, log, "c"));
  auto d = loop.start(read(mutex, release, log, "d"));
  loop.run_ready();

  writing.unlock();
  loop.run_ready();
  EXPECT_EQ(log, (Log{"a reads", "b reads"}));
  release.set();
  loop.run_ready();

  EXPECT_EQ(log, (Log{"a reads", "b reads", "c writes", "d reads"}));
}

TEST(SharedMutexTest, AMovedLockUnlocksOnce) {
  SharedMutex mutex;
  auto reading = mutex.try_lock_shared();
  SharedMutex::SharedLock moved = std::move(reading);
  EXPECT_EQ(mutex.reader_count(), 1U);

  moved = SharedMutex::SharedLock();

  EXPECT_EQ(mutex.reader_count(), 0U);
  EXPECT_TRUE(mutex.try_lock());
}

TEST(SharedMutexTest, AWriterStoppedWhileItWaitsLetsTheReadersBehindItGo) {
  Loop loop;
  Loop other;
  SharedMutex mutex;
  Event release;
  release.set();
  Log log;
  auto reading = mutex.try_lock_shared();
  auto writer = loop.start(write(mutex, release, log, "writer"));
  loop.run_ready();
  auto reader = other.start(read(mutex, release, log, "reader"));
  other.run_ready();
  EXPECT_EQ(log, Log{});

  loop.stop();
  loop.run_ready();
  other.run_ready();

  EXPECT_EQ(log, (Log{"writer stopped", "reader reads"}));
  EXPECT_EQ(mutex.reader_count(), 1U);
}

TEST(SharedMutexDeathTest, OneThatIsDestroyedWhileItIsLockedAborts) {
  EXPECT_DEATH(
      {
        SharedMutex mutex;
        auto lock = mutex.try_lock_shared();
        mutex.~SharedMutex();
      },
      "a SharedMutex was destroyed while it is locked");
}

}  // namespace
}  // namespace wharf::coro
