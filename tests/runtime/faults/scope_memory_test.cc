#include <cstddef>
#include <new>
#include <utility>

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/tests/runtime/faults/failing_new.h"
#include "wharf/tests/runtime/harness.h"

namespace wharf::coro {
namespace {

struct Thrown {};  // takes no memory of operator new

Task<void> fail_now() {
  throw Thrown();
  co_return;
}

// Gives how many errors there were, after children that failed while no memory was left.
Task<std::size_t> collect(bool take_between) {
  const Context& inherited = co_await context();
  Scope scope(inherited, OnError::kCollect);
  std::size_t count = 0;
  for (int i = 0; i < 3; ++i) scope.spawn(fail_now());
  if (take_between) count += scope.take_errors().size();
  test::fail_allocation(1);
  co_await scope.join();
  EXPECT_FALSE(test::allocation_failed());
  count += scope.take_errors().size();
  co_return count;
}

TEST(ScopeMemoryTest, AChildThatThrowsNeedsNoMemoryToBeCollected) {
  test::Harness harness;

  EXPECT_EQ(harness.run(collect(false)), 3U);
  EXPECT_EQ(harness.run(collect(true)), 3U);
}

Task<void> cancel_on_error() {
  const Context& inherited = co_await context();
  Scope scope(inherited);
  scope.spawn(fail_now());
  test::fail_allocation(1);
  co_await scope.join();
}

TEST(ScopeMemoryTest, TheFirstErrorNeedsNoMemory) {
  test::Harness harness;

  EXPECT_THROW(harness.run(cancel_on_error()), Thrown);
  EXPECT_FALSE(test::allocation_failed());
}

Task<void> spawn_without_memory() {
  const Context& inherited = co_await context();
  Scope scope(inherited, OnError::kCollect);
  Task<void> task = fail_now();
  test::fail_allocation(1);
  EXPECT_THROW(scope.spawn(std::move(task)), std::bad_alloc);
  EXPECT_EQ(scope.live_count(), 0U);
  co_await scope.join();
}

TEST(ScopeMemoryTest, ATaskWhoseErrorWouldHaveNoRoomIsNotStarted) {
  test::Harness harness;

  harness.run(spawn_without_memory());

  EXPECT_TRUE(test::allocation_failed());
}

}  // namespace
}  // namespace wharf::coro
