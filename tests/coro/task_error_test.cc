// What a task threw is destroyed once, and as soon as nobody can ask for it.

#include <gtest/gtest.h>

#include "wharf/coro/scope.h"
#include "wharf/coro/task.h"
#include "wharf/coro/when_all.h"
#include "wharf/tests/support/coro_test.h"

namespace wharf::coro {
namespace {

using test::Counted;
using test::Loop;

Task<void> fail_with(Counted::Counts& counts) {
  throw Counted(counts);
  co_return;
}

TEST(TaskErrorTest, OneThatWasThrownIsGoneAfterItsHandlerThoughItsTaskIsNot) {
  Loop loop;
  Counted::Counts counts;
  auto task = loop.start(fail_with(counts));
  loop.run_ready();
  EXPECT_EQ(counts.live(), 1);

  EXPECT_THROW(task.take(), Counted);

  EXPECT_EQ(counts.live(), 0);
  EXPECT_EQ(counts.made, 1);
}

TEST(TaskErrorTest, OneThatNobodyTakesGoesWithItsTask) {
  Loop loop;
  Counted::Counts counts;
  {
    auto task = loop.start(fail_with(counts));
    loop.run_ready();
    EXPECT_EQ(counts.live(), 1);
  }

  EXPECT_EQ(counts.live(), 0);
  EXPECT_EQ(counts.made, 1);
}

TEST(TaskErrorTest, OneThatAnAwaitThrowsIsGoneAfterItsHandler) {
  Loop loop;
  Counted::Counts counts;
  auto body = [](Counted::Counts& all) -> Task<void> {
    for (int i = 1; i <= 3; ++i) {
      bool caught = false;
      try {
        co_await fail_with(all);
      } catch (const Counted&) {
        caught = true;
      }
      EXPECT_TRUE(caught);
      EXPECT_EQ(all.made, i);
      EXPECT_EQ(all.live(), 0);
    }
  };

  loop.run(body(counts));

  EXPECT_EQ(counts.made, 3);
}

TEST(TaskErrorTest, OfManyTheOnesThatAreNotThrownGoToo) {
  Loop loop;
  Counted::Counts counts;
  auto body = [](Counted::Counts& all) -> Task<void> {
    int caught = 0;
    try {
      co_await when_all(fail_with(all), fail_with(all), fail_with(all));
    } catch (const Counted&) {
      ++caught;
    }
    EXPECT_EQ(all.live(), 0);
    Scope scope;
    for (int i = 0; i < 3; ++i) scope.spawn(fail_with(all));
    try {
      co_await scope.join();
    } catch (const Counted&) {
      ++caught;
    }
    EXPECT_EQ(caught, 2);
  };

  loop.run(body(counts));

  EXPECT_EQ(counts.made, 6);
  EXPECT_EQ(counts.live(), 0);
}

}  // namespace
}  // namespace wharf::coro
